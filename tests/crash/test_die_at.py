"""A run that dies between any two durable steps leaves a library that the next run makes what it should be."""

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from facesets_dagster.library.verification import verify_library
from testing.fakes import FakeFace, write_looks, write_person, write_photo
from testing.other_pack import put_on_record
from tests.crash.die_at import KILLED, run_dying
from tests.crash.homes import begun, copied, library_of, removed
from tests.crash.snapshots import require_noted, snapshot


@dataclass(frozen=True)
class Scenario:
    """A home in which the next run of `job` on `bucket` has much to publish."""

    home: Path
    job: str
    bucket: str

    def run(self, home: Path, fatal: int) -> "subprocess.CompletedProcess[str]":
        return run_dying(home, self.job, self.bucket, fatal)


def discovery(folder: Path) -> Scenario:
    """The bucket was run once and has grown since: the next run founds one identity and changes another."""
    scenario = Scenario(folder, "discover_identities", "a")
    write_person(folder / "buckets" / "a", 1, 7)
    assert scenario.run(folder, 0).returncode == 0
    write_person(folder / "buckets" / "a", 1, 3, first=7)
    write_person(folder / "buckets" / "a", 2, 6)
    return scenario


def write_up(folder: Path) -> Scenario:
    """Another bucket and a hand-sorted folder have come: one is asserted, one extended, one founded, some offered."""
    first = Scenario(folder, "discover_identities", "a")
    write_looks(folder / "buckets" / "a", 1, [-0.9, -0.8, -0.45, -0.4, 0.0, 0.05])
    assert first.run(folder, 0).returncode == 0
    write_looks(folder / "buckets" / "b", 1, [0.45, 0.5])
    write_person(folder / "buckets" / "b", 2, 6)
    write_person(folder / "buckets" / "b", 4, 3)
    write_person(folder / "people" / "Anna", 3, 5)
    return Scenario(folder, "full_pipeline", "b")


def merging(folder: Path) -> Scenario:
    """Three buckets know one person under three names, who has eras under the second; the three become one."""
    for bucket, person, looks in (("a", 1, [-0.9, -0.45, 0.0]), ("b", 1, [0.45, 0.68, 0.9]), ("c", 1, [0.2, 0.3, 0.6])):
        write_looks(folder / "buckets" / bucket / "2010", person, looks)
        write_looks(folder / "buckets" / bucket / "2010", 3, [looks[0]])
        assert Scenario(folder, "strict", bucket).run(folder, 0).returncode == 0
    return Scenario(folder, "apply_merges", "faceset_001+faceset_002+faceset_003")


def unmerging(folder: Path) -> Scenario:
    """The same, merged in two steps; one is taken back and must leave the other as it is."""
    start = merging(folder)
    for names in ("faceset_001+faceset_002", "faceset_001+faceset_003"):
        assert Scenario(folder, start.job, names).run(folder, 0).returncode == 0
    return Scenario(folder, "undo_merges", "faceset_002")


def deciding(folder: Path) -> Scenario:
    """Five people of whom five rulings speak, one of each kind that moves faces."""
    for person, bucket in enumerate("abcde", start=1):
        write_person(folder / "buckets" / bucket, person, 6)
        assert Scenario(folder, "discover_identities", bucket).run(folder, 0).returncode == 0
    return Scenario(folder, "decide", "-")


def taking_back(folder: Path) -> Scenario:
    """All of them are obeyed, and taken back at once."""
    start = deciding(folder)
    assert start.run(folder, 0).returncode == 0
    return Scenario(folder, "take_back", "-")


def forgetting(folder: Path) -> Scenario:
    """Two people share photos, another bucket knows both; the second is forgotten."""
    for bucket, looks in (("a", (-0.9, -0.45, 0.0, 0.45)), ("b", (-0.7, 0.2, 0.7))):
        for person in (1, 2):
            write_looks(folder / "buckets" / bucket, person, looks)
        write_photo(folder / "buckets" / bucket / "two.png", [FakeFace(1, 0.1), FakeFace(2, 0.1, x=320)], seed=5)
        assert Scenario(folder, "strict", bucket).run(folder, 0).returncode == 0
    return Scenario(folder, "forget", "faceset_002")


def another_pack(folder: Path) -> Scenario:
    """Two people, of whom one has two names that were made one, get another model pack; a photo is gone."""
    start = merging(folder)
    assert Scenario(folder, start.job, "faceset_001+faceset_002").run(folder, 0).returncode == 0
    put_on_record(folder)
    next((folder / "buckets" / "c" / "2010").iterdir()).unlink()
    return Scenario(folder, "reembed", "other")


def ticking(folder: Path) -> Scenario:
    """The sensor finds a bucket that has grown, a new one and a hand-sorted folder, and runs both buckets."""
    write_up(folder)
    write_person(folder / "buckets" / "a", 5, 6)
    return Scenario(folder, "ticks", "full_pipeline")


def check(scenario: Scenario, undisturbed: dict[str, str], home: Path, fatal: int) -> None:
    copied(scenario.home, home)
    before = snapshot(home / "facesets_swap_ready")
    died = scenario.run(home, fatal)
    assert died.returncode == KILLED, died.stdout[-2000:]
    left = snapshot(home / "facesets_swap_ready")
    whole = {path for path in before if path.startswith("faceset_001/") and path in undisturbed}
    assert {path for path in left if path.startswith("faceset_001/")} >= whole, "the old faceset must stay whole"
    after = scenario.run(home, 0)
    assert after.returncode == 0, after.stdout[-2000:]
    assert snapshot(home / "facesets_swap_ready") == undisturbed
    library = library_of(home)
    assert verify_library(library) == []
    require_noted(library)
    removed(home)


SCENARIOS = [discovery, write_up, deciding, forgetting]
LONG = [merging, unmerging, taking_back, another_pack]


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param((one, False), id=one.__name__) for one in SCENARIOS),
        *(pytest.param((one, False), id=one.__name__, marks=pytest.mark.slow) for one in LONG),
        *(
            pytest.param((one, True), id=f"{one.__name__}-postgresql", marks=pytest.mark.slow)
            for one in (*SCENARIOS, *LONG)
        ),
        pytest.param((ticking, False), id=ticking.__name__, marks=[pytest.mark.faults, pytest.mark.slow]),
    ],
)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    scenario, on_server = request.param
    server = request.getfixturevalue("postgres").fresh() if on_server else None
    made: Scenario = scenario(begun(tmp_path_factory.mktemp("start") / "home", server))
    return made


@pytest.fixture(scope="module")
def steps(start: Scenario, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, str]]:
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    copied(start.home, home)
    done = start.run(home, 0)
    assert done.returncode == 0, done.stdout[-2000:]
    return int(done.stdout.split()[-1]), snapshot(home / "facesets_swap_ready")


def test_a_run_that_dies_at_three_steps_is_finished_by_the_next(
    start: Scenario, steps: tuple[int, dict[str, str]], tmp_path: Path
) -> None:
    count, undisturbed = steps
    for fatal in sorted(random.Random(3).sample(range(1, count + 1), 3)):
        check(start, undisturbed, tmp_path / f"home {fatal}", fatal)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_dies_at_any_step_is_finished_by_the_next(
    start: Scenario, steps: tuple[int, dict[str, str]], tmp_path: Path
) -> None:
    count, undisturbed = steps
    for fatal in range(1, count + 1):
        check(start, undisturbed, tmp_path / f"home {fatal}", fatal)


def check_full(scenario: Scenario, undisturbed: dict[str, str], home: Path, step: int) -> None:
    """From this step on the disk takes nothing; then there is room again, and the next run makes the same library."""
    copied(scenario.home, home)
    before = snapshot(home / "facesets_swap_ready")
    full = scenario.run(home, -step)
    assert full.returncode not in (0, KILLED), full.stdout[-2000:]
    left = snapshot(home / "facesets_swap_ready")
    whole = {path for path in before if path.startswith("faceset_001/") and path in undisturbed}
    assert {path for path in left if path.startswith("faceset_001/")} >= whole, "the old faceset must stay whole"
    after = scenario.run(home, 0)
    assert after.returncode == 0, after.stdout[-2000:]
    assert snapshot(home / "facesets_swap_ready") == undisturbed
    assert verify_library(library_of(home)) == []
    removed(home)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_disk_that_is_full_from_any_step_on_costs_nothing_but_the_run(
    start: Scenario, steps: tuple[int, dict[str, str]], tmp_path: Path
) -> None:
    count, undisturbed = steps
    for step in range(1, count):
        check_full(start, undisturbed, tmp_path / f"home {step}", step)

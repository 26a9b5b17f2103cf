"""Many processes at once on buckets with people in common: no number twice, nobody twice, a library that is sound."""

import random
from pathlib import Path

import pytest

from facesets_dagster.library.verification import verify_library
from facesets_dagster.registry.registry import Registry
from testing.fakes import write_person
from tests.crash.die_at import run_dying, start_dying
from tests.crash.homes import begun, library_of
from tests.crash.snapshots import snapshot

BUCKETS = 8
PHOTOS = 6


def overlapping_buckets(home: Path, count: int) -> list[str]:
    """Every person is in two of the buckets."""
    for number in range(count):
        for person in (number, (number + 1) % count):
            write_person(home / "buckets" / f"b{number}", person + 1, PHOTOS, first=PHOTOS * (person != number))
    return [f"b{number}" for number in range(count)]


def one_round(home: Path, rng: random.Random, count: int = BUCKETS) -> None:
    """All buckets at once, one of them twice as two daemons would; then what is stale, one after the other."""
    buckets = overlapping_buckets(home, count)
    at_once = [*buckets, rng.choice(buckets)]
    rng.shuffle(at_once)
    children = [start_dying(home, "discover_identities", bucket, 0) for bucket in at_once]
    said = [child.communicate()[0] for child in children]
    assert [child.wait() for child in children] == [0] * len(at_once), said
    require_sound(home)
    registry = library_of(home).registry
    for _ in range(count):
        stale = stale_buckets(registry, buckets)
        if not stale:
            break
        for bucket in stale:
            assert run_dying(home, "discover_identities", bucket, 0).returncode == 0
    people = require_sound(home)
    assert len(people) == count, "somebody is there twice, or is missing"
    assert stale_buckets(registry, buckets) == []
    before = snapshot(home / "facesets_swap_ready")
    assert run_dying(home, "discover_identities", rng.choice(buckets), 0).returncode == 0
    assert snapshot(home / "facesets_swap_ready") == before


def stale_buckets(registry: Registry, buckets: list[str]) -> list[str]:
    """Those that the next run would take up."""
    known = registry.folder_digests(buckets)
    return [bucket for bucket in buckets if not known.get(bucket)]


def require_sound(home: Path) -> list[int]:
    """The numbers of those in use, each once."""
    library = library_of(home)
    registry = library.registry
    assert verify_library(library) == []
    every = [identity.number for identity in registry.identities()]
    assert len(set(every)) == len(every)
    live = [identity for identity in registry.identities() if identity.live]
    members = registry.members([identity.name for identity in live])
    faces = [face for of_one in members.values() for face in of_one]
    assert len(set(faces)) == len(faces), "a face belongs to two people"
    return [identity.number for identity in live]


@pytest.mark.both_databases
def test_four_processes_on_overlapping_buckets_come_to_a_sound_library(
    tmp_path: Path, database_url: str | None
) -> None:
    one_round(begun(tmp_path / "home", database_url), random.Random(1), count=3)


@pytest.mark.faults
@pytest.mark.slow
def test_two_daemons_whose_sensors_want_the_same_runs_come_to_a_sound_library(tmp_path: Path) -> None:
    (tmp_path / "buckets").mkdir()
    assert (
        run_dying(tmp_path, "ticks", "discover_identities", 0).returncode == 0
    )  # makes the home and Dagster's databases
    buckets = overlapping_buckets(tmp_path, 2)
    daemons = [start_dying(tmp_path, "ticks", "discover_identities", 0) for _ in range(2)]
    said = [daemon.communicate()[0] for daemon in daemons]
    assert [daemon.wait() for daemon in daemons] == [0, 0], said
    assert len(require_sound(tmp_path)) == 2
    assert stale_buckets(Registry(f"sqlite:///{tmp_path / 'registry.db'}"), buckets) == []
    before = snapshot(tmp_path / "facesets_swap_ready")
    assert run_dying(tmp_path, "ticks", "discover_identities", 0).returncode == 0
    assert snapshot(tmp_path / "facesets_swap_ready") == before


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.both_databases
@pytest.mark.parametrize("part", range(8))
def test_two_hundred_rounds_of_eight_processes_come_to_sound_libraries(
    tmp_path: Path, part: int, database_url: str | None
) -> None:
    for number in range(25 if database_url is None else 5):
        home = begun(tmp_path / f"home {number}", database_url)
        one_round(home, random.Random(1000 * part + number))

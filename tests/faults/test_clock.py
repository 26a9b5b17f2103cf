"""The clock is set back or forward, and files are dated in the future: no run waits for it, none is lost, and the
library is what it would be."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from facesets_dagster.automation.news import Attempts, BucketState, Stopped, decide
from facesets_dagster.linkage import scratch
from facesets_dagster.registry.backups import back_up, backups_of
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.schema import next_generation
from testing.clock import DAY, clock_ahead
from testing.eras import meet, split
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_person
from tests.crash.snapshots import snapshot

NOW = 1_000_000.0
SHIFTS = [-20_000 * DAY, -400 * DAY, 400 * DAY]
"""To 1970 or so, as a machine whose battery is empty; a year and more back, and forward."""


def three_runs(folder: Path, shift: float = 0.0) -> FakeHome:
    """A bucket that is run, has grown and is run while the clock is wrong, has grown and is run by the right one."""
    with fake_home_in(folder) as home:
        for number, wrong in enumerate((0.0, shift, 0.0), start=1):
            write_person(home.buckets / "a", 1, 3 * number)
            write_person(home.buckets / "a", number + 1, 6)
            with clock_ahead(wrong):
                home.run("a")
                assert home.flaws() == []
        return home


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return snapshot(three_runs(tmp_path_factory.mktemp("undisturbed")).settings.library_dir)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_run_at_a_wrong_time_makes_the_same_library(
    tmp_path: Path, undisturbed: dict[str, str], shift: float
) -> None:
    home = three_runs(tmp_path, shift)
    assert snapshot(home.settings.library_dir) == undisturbed
    copies = backups_of(home.library.registry)
    assert copies[0].is_of(home.library.registry.state()), "the newest copy of the registry is the last one"


def test_photos_of_the_future_are_photos(fake_home: FakeHome, tmp_path: Path) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    with fake_home_in(tmp_path / "undisturbed") as other:
        write_person(other.buckets / "a", 1, 7)
        other.run("a")
    for number, path in enumerate(sorted((fake_home.buckets / "a").iterdir())):
        then = time.time() + number * 300 * DAY
        os.utime(path, (then, then))
    fake_home.run("a")
    assert snapshot(fake_home.settings.library_dir) == snapshot(other.settings.library_dir)
    before = fake_home.files()
    fake_home.run("a")
    assert fake_home.files() == before


def test_eras_are_the_same_though_it_is_1970(tmp_path: Path) -> None:
    found = []
    for folder, wrong in ((tmp_path / "undisturbed", 0.0), (tmp_path / "disturbed", SHIFTS[0])):
        with fake_home_in(folder) as home:
            meet(home)
            with clock_ahead(wrong):
                split(home, "faceset_001")
            found.append(snapshot(home.settings.library_dir))
            assert home.flaws() == []
    assert found[0] == found[1]


def test_a_run_that_failed_in_the_future_is_tried_again_once() -> None:
    """The clock was ahead when it failed; it has been set right since, and the folder may have changed in between."""
    states = {"a": BucketState("new", 3, 600.0)}
    ahead = {"a": Stopped(NOW + 400 * DAY, "failed: no face model")}
    assert decide(states, {}, stopped=ahead, now=NOW, settle_seconds=30).run == ("a",)
    again = {"a": Stopped(NOW - 10, "failed: no face model")}
    assert decide(states, {}, stopped=again, now=NOW, settle_seconds=30).stopped == {"a": "failed: no face model"}


def test_a_run_that_did_not_start_in_the_future_is_waited_for_no_longer_than_its_pause() -> None:
    states = {"a": BucketState("new", 3, 600.0)}
    tried = {"a": Attempts(2, NOW + 400 * DAY)}
    assert decide(states, {}, attempts=tried, now=NOW, settle_seconds=30).paused == {"a": 120.0}


def test_copies_of_the_registry_are_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    registry.create()
    for shift in (400 * DAY, 0.0, -400 * DAY, 0.0):
        with clock_ahead(shift), registry.engine.begin() as connection:
            next_generation(connection)
        with clock_ahead(shift):
            back_up(registry, 3)
    assert [one.generation for one in backups_of(registry)] == [4, 3, 2]
    assert backups_of(registry)[0].made_at > datetime.now(UTC), "the order is kept, and no copy is dated twice"


def test_a_linkage_that_another_process_is_at_is_not_taken_for_abandoned(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "left").mkdir()
    (tmp_path / "lone.lock").touch()
    with (
        FileLock(tmp_path / "other.lock"),
        clock_ahead(400 * DAY),
        scratch.edges_on_disk(tmp_path, "own"),
    ):
        assert {path.name for path in tmp_path.iterdir()} == {"other", "other.lock", "own", "own.lock"}

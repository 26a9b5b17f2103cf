"""The sensor: a pure decision, and its tick against a real ephemeral instance and real folders."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.automation.attempts import ATTEMPT, FOLDER_STATE
from facesets_dagster.automation.in_process import remote_origin
from facesets_dagster.automation.news import (
    A_NIGHT,
    LEAST_ROOM,
    Attempts,
    BucketState,
    Cursor,
    SensorDecision,
    Stopped,
    decide,
    in_turn,
    of_a_night,
    read_cursor,
    room,
    story,
    write_cursor,
)
from facesets_dagster.automation.schedules import build_nightly_rescan
from facesets_dagster.automation.sensors import build_new_bucket_sensor
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import too_deep, write_person

keys = st.text("abcdef", min_size=1, max_size=4)
states = st.builds(BucketState, st.sampled_from(["d1", "d2", "d3"]), st.integers(0, 3), st.floats(0, 100))


NOW = 1_000_000.0
endings = st.builds(Stopped, st.floats(NOW - 200, NOW), st.just("failed: no face model"))
tried = st.builds(Attempts, st.integers(1, 30), st.floats(NOW - 5000, NOW))


@given(
    st.dictionaries(keys, states),
    st.dictionaries(keys, st.sampled_from(["d1", "d2", "d3"])),
    st.sets(keys),
    st.dictionaries(keys, endings),
    st.dictionaries(keys, tried),
    st.integers(1, 5),
)
def test_every_bucket_is_in_one_group_and_only_quiet_news_that_nothing_speaks_against_runs(
    found: dict[str, BucketState],
    done: dict[str, str],
    under_way: set[str],
    stopped: dict[str, Stopped],
    attempts: dict[str, Attempts],
    limit: int,
) -> None:
    one = decide(
        found, done, under_way=under_way, stopped=stopped, attempts=attempts, now=NOW, settle_seconds=30, limit=limit
    )
    groups = (one.run, one.settled, one.unsettled, one.under_way, tuple(one.stopped), tuple(one.paused), one.waiting)
    assert sorted(sum(groups, ())) == sorted(found)
    assert len(one.run) <= limit
    for key in one.run + one.waiting:
        assert found[key].photos
        assert found[key].digest != done.get(key)
        assert found[key].quiet_seconds >= 30
        assert key not in under_way
        assert key not in stopped or stopped[key].since < NOW - found[key].quiet_seconds
        assert key not in attempts or attempts[key].last_ended <= NOW - 60
    assert all(0 < seconds <= 3600 for seconds in one.paused.values())


@given(st.dictionaries(keys, states))
def test_ticks_come_to_rest_when_runs_publish(found: dict[str, BucketState]) -> None:
    done: dict[str, str] = {}
    for _ in range(len(found) + 1):
        run = decide(found, done, now=NOW, settle_seconds=0, limit=2).run
        done.update({key: found[key].digest for key in run})
    assert decide(found, done, now=NOW, settle_seconds=0).run == ()


def test_the_pause_after_runs_that_did_not_start_doubles_up_to_an_hour() -> None:
    found = {"a": BucketState("d1", 1, 500)}
    pauses = [
        decide(found, {}, attempts={"a": Attempts(count, NOW)}, now=NOW, settle_seconds=30).paused["a"]
        for count in (1, 2, 3, 6, 7, 50)
    ]
    assert pauses == [60, 120, 240, 1920, 3600, 3600]


def test_a_tick_says_what_it_saw_with_the_names_of_folders() -> None:
    decision = SensorDecision(
        settled=("family", "trip"), unsettled=("weekend %5B2%5D",), stopped={"a": "failed: X"}, paused={"b": 240.0}
    )
    assert story(decision, {"b": "Run timed out"}).splitlines() == [
        "2 settled, 1 still changing: weekend [2]",
        "b: its run came to nothing (Run timed out); next try in 4 minutes",
        "a: its last run was not finished (failed: X); it is run again when its folder changes, every night, by "
        "`facesets run 'a'` or Re-execute",
    ]
    assert story(SensorDecision(), {}) == "no bucket folder with photos"


def test_a_cursor_comes_back_as_it_went_and_a_broken_one_is_empty() -> None:
    for cursor in (Cursor(), Cursor("1"), Cursor("1", "a"), Cursor(None, "a")):
        assert read_cursor(write_cursor(cursor)) == cursor
    assert read_cursor("no json") == read_cursor(None) == read_cursor("[1]") == read_cursor('{"first": 1}') == Cursor()
    assert read_cursor(f'{{"{HAND_SORTED}": "1"}}') == Cursor("1"), "as older releases wrote it"


def test_the_queue_holds_four_times_what_runs_at_once() -> None:
    assert (room(1, 0), room(1, 20), room(1, 30), room(-1, 0)) == (25, 5, 0, 25)
    assert (room(50, 0), room(50, 190)) == (200, 10)


def test_buckets_are_looked_at_in_turn() -> None:
    assert in_turn({"c", "a", "b"}, None) == ["a", "b", "c"]
    assert in_turn(["a", "b", "c"], "b") == ["b", "c", "a"]
    assert in_turn(["a", "c"], "b") == ["c", "a"], "the bucket is gone meanwhile"


def test_every_bucket_has_its_night() -> None:
    buckets = [f"b{number:05d}" for number in range(2 * A_NIGHT + 300)]
    nights = [of_a_night(buckets, ["b00000", "gone"], day) for day in (739_000, 739_001, 739_002)]
    assert set().union(*nights) == set(buckets)
    assert sum(map(len, nights)) <= len(buckets) + 3
    assert all("b00000" in night and "gone" not in night for night in nights)
    assert of_a_night(buckets[:7], [], 739_000) == buckets[:7]


def tick(home: FakeHome, cursor: str | None = None, job: str = "discover_identities") -> dg.SensorResult:
    sensor = build_new_bucket_sensor(job, settle_seconds=30, on=False)
    context = dg.build_sensor_context(
        instance=home.instance, cursor=cursor, resources={"home": HomeResource.of(home.settings)}
    )
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def age(_: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets time pass: status-change times cannot be set."""
    now = time.time() + seconds
    monkeypatch.setattr("facesets_dagster.automation.sensors.time.time", lambda: now)


def test_a_folder_still_being_copied_waits(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "new", 1, 1)
    assert tick(fake_home).run_requests == []


def test_a_copy_that_keeps_old_times_still_counts_as_fresh(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "new", 1, 1)
    for path in (fake_home.buckets / "new").iterdir():
        os.utime(path, (1, 1))
    assert tick(fake_home).run_requests == []


def test_a_settled_folder_becomes_a_partition_and_a_run(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    write_person(fake_home.buckets / "osrc [1]", 1, 1)
    age(fake_home.buckets, 60, monkeypatch)
    result = tick(fake_home)
    assert [request.partition_key for request in result.run_requests or []] == ["osrc %5B1%5D"]
    assert result.dynamic_partitions_requests == [SOURCE_BUCKET.build_add_request(["osrc %5B1%5D"])]


def queue(
    home: FakeHome, result: dg.SensorResult, status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED
) -> list[dg.DagsterRun]:
    """What Dagster makes of the requests: runs in its queue, or in another state."""
    job, runs = build_defs(home.settings).resolve_job_def("full_pipeline"), []
    for request in result.run_requests or []:
        partition = {"dagster/partition": request.partition_key} if request.partition_key else {}
        tags = {**request.tags, **partition}
        origin = remote_origin(job.name)
        runs.append(home.instance.create_run_for_job(job, tags=tags, status=status, remote_job_origin=origin))
    return runs


def test_a_run_that_did_not_start_is_asked_for_again_after_a_pause_with_the_reason(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(fake_home.buckets / "week end", 1, 1)
    age(fake_home.buckets, 60, monkeypatch)
    first = tick(fake_home)
    (run,) = queue(fake_home, first)
    assert said(tick(fake_home)) == "1 under way: week end"
    fake_home.instance.report_run_failed(run, "Run timed out due to taking longer than 180 seconds to start.")
    assert said(tick(fake_home)) == (
        "no bucket folder is to be run\nweek end: its run came to nothing (Run timed out due to taking longer than 180 "
        "seconds to start.); next try in 1 minute"
    )
    age(fake_home.buckets, 200, monkeypatch)
    again = tick(fake_home)
    assert [request.tags[ATTEMPT] for request in again.run_requests or []] == ["2"]
    assert [request.tags[FOLDER_STATE] for request in again.run_requests or []] == [run.tags[FOLDER_STATE]]
    assert [one.run_key for one in again.run_requests or []] != [one.run_key for one in first.run_requests or []]


def test_a_run_that_failed_is_left_alone_until_its_folder_changes(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    with monkeypatch.context() as broken:
        broken.setattr("facesets_dagster.assets.swap_ready_facesets.write_report", raises(ValueError("no ink")))
        assert not fake_home.run("a", raise_on_error=False).success
    age(fake_home.buckets, 60, monkeypatch)
    assert "a: its last run was not finished (failed: ValueError: no ink); it is run again when" in said(
        tick(fake_home)
    )
    write_person(fake_home.buckets / "a", 2, 1)
    age(fake_home.buckets, 60, monkeypatch)
    assert requested(tick(fake_home)) == ["a"]


def raises(error: BaseException) -> Callable[..., None]:
    def function(*_: object, **__: object) -> None:
        raise error

    return function


def said(result: dg.SensorResult) -> str:
    assert result.skip_reason is not None
    assert result.skip_reason.skip_message is not None
    return result.skip_reason.skip_message


def test_a_bucket_that_the_command_line_ran_is_no_news(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    fake_home.run("a")
    age(fake_home.buckets, 60, monkeypatch)
    assert tick(fake_home).run_requests == []
    write_person(fake_home.buckets / "a", 2, 1)
    assert len(tick(fake_home).run_requests or []) == 1


def test_many_new_folders_are_taken_in_portions(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(LEAST_ROOM + 5):
        write_person(fake_home.buckets / f"b{number:02d}", 1, 1)
    age(fake_home.buckets, 60, monkeypatch)
    first = tick(fake_home)
    queue(fake_home, first)
    assert first.cursor == '{"first":"b25"}'
    second = tick(fake_home, first.cursor)
    assert requested(second) == [], "the queue is full"
    for run in fake_home.instance.get_runs(limit=10):
        fake_home.instance.report_run_canceling(run)  # taken from the queue
    third = tick(fake_home, second.cursor)
    assert requested(third) == [f"b{number}" for number in range(25, 30)]


def test_a_tick_goes_on_where_the_last_one_had_no_time_left(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesets_dagster.automation.sensors.LISTING_SECONDS", 0.0)
    for name in ("a", "b", "c"):
        write_person(fake_home.buckets / name, 1, 1)
    age(fake_home.buckets, 60, monkeypatch)
    cursor, found = None, []
    for _ in range(4):
        result = tick(fake_home, cursor)
        queue(fake_home, result)
        found += requested(result)
        cursor = result.cursor
    assert found == ["a", "b", "c"]
    assert "the next ticks look at 2 more bucket folders" in said(result)


def requested(result: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in result.run_requests or []]


def test_settled_news_of_the_hand_sorted_folders_are_news_for_every_bucket(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = dg.DagsterRunStatus.STARTED  # the queue has room again
    for number in range(LEAST_ROOM + 2):
        write_person(fake_home.buckets / f"b{number:02d}", 1, 1)
    with monkeypatch.context() as later:
        age(fake_home.buckets, 60, later)
        first = tick(fake_home, job="full_pipeline")
        runs = queue(fake_home, first, at_work)
        second = tick(fake_home, first.cursor, job="full_pipeline")
        runs += queue(fake_home, second, at_work)
        before = tick(fake_home, second.cursor, job="full_pipeline")
        assert requested(before) == []
    write_person(fake_home.people / "Anna", 1, 6)
    assert requested(tick(fake_home, before.cursor, job="full_pipeline")) == [], "it may still be copied"
    age(fake_home.people, 60, monkeypatch)
    assert requested(tick(fake_home, before.cursor)) == [], "the main chain alone leaves those folders out"
    for run in runs:
        fake_home.instance.delete_run(run.run_id)  # however it ended
    third = tick(fake_home, before.cursor, job="full_pipeline")
    queue(fake_home, third, at_work)
    assert len(requested(third)) == LEAST_ROOM
    fake_home.materialize("hand_sorted_facesets")
    fourth = tick(fake_home, third.cursor, job="full_pipeline")
    queue(fake_home, fourth, at_work)
    assert sorted(requested(third) + requested(fourth)) == sorted(requested(first) + requested(second))  # type: ignore[type-var]
    assert requested(tick(fake_home, fourth.cursor, job="full_pipeline")) == []
    keys = [one.run_key for result in (first, second, third, fourth) for one in result.run_requests or []]
    assert len(set(keys)) == len(keys), "Dagster starts a key once"


def test_hand_sorted_folders_without_a_bucket_are_run_alone(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(fake_home.people, 60, monkeypatch)
    assert requested(tick(fake_home, job="full_pipeline")) == [], "without a photo there is nothing to assert"
    write_person(fake_home.people / "Anna", 1, 6)
    result = tick(fake_home, job="full_pipeline")
    (request,) = result.run_requests or []
    assert request.partition_key is None
    assert dg.AssetKey("hand_sorted_facesets") in (request.asset_selection or [])
    queue(fake_home, result)
    assert tick(fake_home, result.cursor, job="full_pipeline").run_requests == []
    fake_home.materialize("hand_sorted_facesets")
    assert tick(fake_home, job="full_pipeline").run_requests == [], "the command line did it"


def test_hand_sorted_folders_that_are_not_mounted_are_an_error(fake_home: FakeHome) -> None:
    fake_home.people.rmdir()
    with pytest.raises(BucketError, match="FACESETS_HAND_SORTED"):
        tick(fake_home, job="full_pipeline")


def test_a_root_that_cannot_be_listed_is_an_error_and_not_an_empty_root(fake_home: FakeHome) -> None:
    fake_home.buckets.rmdir()
    with pytest.raises(BucketError, match="cannot be listed"):
        tick(fake_home)


def test_the_nightly_rescan_asks_once_for_every_bucket_that_can_be_read(fake_home: FakeHome) -> None:
    for bucket in ("a", "b [2]"):
        write_person(fake_home.buckets / bucket, 1, 1)
    too_deep(fake_home.buckets / "c")
    night = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
    resources = {"home": HomeResource.of(fake_home.settings)}
    with (
        dg.instance_for_test() as instance,  # a schedule's context opens the instance by its reference
        dg.build_schedule_context(instance=instance, scheduled_execution_time=night, resources=resources) as context,
    ):
        requests = build_nightly_rescan("discover_identities", on=False)(context)
        assert set(instance.get_dynamic_partitions("source_bucket")) == {"a", "b %5B2%5D"}
    assert [request.partition_key for request in requests] == ["a", "b %5B2%5D"]
    assert len({request.run_key for request in requests}) == 2

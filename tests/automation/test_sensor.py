"""The sensor: a pure decision, and its tick against a real ephemeral instance and real folders."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.automation.news import MAX_REQUESTS_PER_TICK, BucketState, decide, read_cursor, write_cursor
from facesets_dagster.automation.schedules import build_nightly_rescan
from facesets_dagster.automation.sensors import build_new_bucket_sensor
from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import write_person

keys = st.text("abcdef", min_size=1, max_size=4)
states = st.builds(BucketState, st.sampled_from(["d1", "d2", "d3"]), st.integers(0, 3), st.floats(0, 100))


@given(st.dictionaries(keys, states), st.dictionaries(keys, st.sampled_from(["d1", "d2", "d3"])), st.integers(1, 5))
def test_only_settled_news_with_photos_runs_and_never_more_than_the_limit(
    found: dict[str, BucketState], seen: dict[str, str], limit: int
) -> None:
    decision = decide(found, seen, settle_seconds=30, limit=limit)
    assert len(decision.run) <= limit
    for key in decision.run:
        assert found[key].photos
        assert found[key].digest != seen.get(key)
        assert found[key].quiet_seconds >= 30
        assert decision.seen[key] == found[key].digest
    assert {key: decision.seen[key] for key in seen if key not in decision.run} == {
        key: digest for key, digest in seen.items() if key not in decision.run
    }


@given(st.dictionaries(keys, states))
def test_ticks_come_to_rest_when_nothing_changes(found: dict[str, BucketState]) -> None:
    seen: dict[str, str] = {}
    for _ in range(len(found) + 1):
        seen = decide(found, seen, settle_seconds=0, limit=2).seen
    assert decide(found, seen, settle_seconds=0).run == ()


def test_a_cursor_comes_back_as_it_went_and_a_broken_one_is_empty() -> None:
    assert read_cursor(write_cursor({"b": "2", "a": "1"})) == {"a": "1", "b": "2"}
    assert read_cursor("no json") == read_cursor(None) == read_cursor("[1]") == {}


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
    assert tick(fake_home, result.cursor).run_requests == []


def test_a_bucket_that_the_command_line_ran_is_no_news(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    fake_home.run("a")
    age(fake_home.buckets, 60, monkeypatch)
    assert tick(fake_home).run_requests == []
    write_person(fake_home.buckets / "a", 2, 1)
    assert len(tick(fake_home).run_requests or []) == 1


def test_many_new_folders_are_taken_in_portions(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(MAX_REQUESTS_PER_TICK + 5):
        write_person(fake_home.buckets / f"b{number:02d}", 1, 1)
    age(fake_home.buckets, 60, monkeypatch)
    first = tick(fake_home)
    second = tick(fake_home, first.cursor)
    assert (len(first.run_requests or []), len(second.run_requests or [])) == (25, 5)


def requested(result: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in result.run_requests or []]


def test_settled_news_of_the_hand_sorted_folders_are_news_for_every_bucket(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MAX_REQUESTS_PER_TICK + 2):
        write_person(fake_home.buckets / f"b{number:02d}", 1, 1)
    with monkeypatch.context() as later:
        age(fake_home.buckets, 60, later)
        first = tick(fake_home, job="full_pipeline")
        second = tick(fake_home, first.cursor, job="full_pipeline")
        before = tick(fake_home, second.cursor, job="full_pipeline")
        assert requested(before) == []
    write_person(fake_home.people / "Anna", 1, 6)
    assert requested(tick(fake_home, before.cursor, job="full_pipeline")) == [], "it may still be copied"
    age(fake_home.people, 60, monkeypatch)
    assert requested(tick(fake_home, before.cursor)) == [], "the main chain alone leaves those folders out"
    third = tick(fake_home, before.cursor, job="full_pipeline")
    assert len(requested(third)) == MAX_REQUESTS_PER_TICK
    fake_home.materialize("hand_sorted_facesets")
    fourth = tick(fake_home, third.cursor, job="full_pipeline")
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


def test_the_nightly_rescan_asks_for_every_bucket_once(fake_home: FakeHome) -> None:
    for bucket in ("a", "b [2]"):
        write_person(fake_home.buckets / bucket, 1, 1)
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

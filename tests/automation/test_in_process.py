"""Runs of the command line as Dagster has them on record: origin, name, and how they end."""

import json
from collections.abc import Callable

import dagster as dg
import pytest
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from facesets_dagster.automation.in_process import FinishedRun, remote_origin, run_job
from facesets_dagster.automation.sensors import build_ended_run_sensor
from facesets_dagster.cli.status import print_status
from facesets_dagster.definitions import build_defs, defs
from facesets_dagster.partitions import SOURCE_BUCKET
from testing.browser import LOCATION
from testing.fake_home import FakeHome
from testing.fakes import FakeEmbedderResource, write_person
from testing.paths import REPOSITORY

REPORT = "facesets_dagster.assets.swap_ready_facesets.write_report"


def run(home: FakeHome, bucket: str) -> FinishedRun:
    home.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
    job = build_defs(home.settings, overrides={"embedder": FakeEmbedderResource()}).resolve_job_def(home.settings.job)
    return run_job(job, home.instance, partition_key=bucket)


def interrupt(*_: object, **__: object) -> None:
    raise dg.DagsterExecutionInterruptedError  # as Ctrl-C in a step


def test_a_run_comes_from_the_code_location_of_the_workspace() -> None:
    (location,) = location_origins_from_yaml_paths([str(REPOSITORY / "workspace.yaml")])
    mine = remote_origin("discover_identities")
    own = mine.repository_origin.code_location_origin
    assert isinstance(location, ManagedGrpcPythonEnvCodeLocationOrigin)
    assert isinstance(own, ManagedGrpcPythonEnvCodeLocationOrigin)
    assert own.location_name == location.location_name == LOCATION.partition("@")[2]
    assert own.loadable_target_origin.module_name == location.loadable_target_origin.module_name
    assert own.loadable_target_origin.attribute == location.loadable_target_origin.attribute
    assert own.loadable_target_origin.working_directory == str(REPOSITORY)
    assert mine.repository_origin.repository_name == defs.get_repository_def().name


def test_a_run_has_its_origin_its_partition_and_the_name_of_its_job(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    done = run(fake_home, "a")
    assert (done.success, done.interrupted, done.failures) == (True, False, ())
    (record,) = fake_home.instance.get_runs(dg.RunsFilter(job_name="discover_identities"))
    assert record.remote_job_origin == remote_origin("discover_identities")
    assert record.job_code_origin is not None
    assert record.tags["dagster/partition"] == "a"
    of_location = fake_home.instance.get_runs(dg.RunsFilter(tags={".dagster/repository": LOCATION}))
    assert [one.run_id for one in of_location] == [done.run_id]


def state(home: FakeHome, capsys: pytest.CaptureFixture[str]) -> tuple[str, str | None]:
    """Of the bucket `a` in `facesets status`, and the problem."""
    capsys.readouterr()
    print_status(home.settings, as_json=True)
    rows = {row["bucket"]: row for row in json.loads(capsys.readouterr().out)["buckets"]}
    return rows["a"]["state"], rows["a"]["problem"]


def test_a_run_that_a_person_ends_while_it_reports_is_canceled_and_the_next_one_reports_what_it_founded(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    write_person(fake_home.buckets / "a", 2, 7)
    with monkeypatch.context() as patched:
        patched.setattr(REPORT, interrupt)
        ended = run(fake_home, "a")
    assert (ended.success, ended.interrupted) == (False, True)
    record = fake_home.instance.get_run_by_id(ended.run_id)
    assert record is not None
    assert record.status == dg.DagsterRunStatus.CANCELED
    assert len(fake_home.library.registry.identities()) == 2, "they were published before"
    assert state(fake_home, capsys) == ("unfinished", "ended by a person")

    again = run(fake_home, "a")
    made = again.metadata["swap_ready_facesets"]
    assert (made["founded"], made["unchanged"]) == (["faceset_001", "faceset_002"], False)
    text = (fake_home.settings.reports_dir / "a" / f"{again.run_id}.md").read_text()
    assert "faceset_001: founded" in text
    assert "2 founded" in (fake_home.settings.reports_dir / "index.html").read_text()
    assert state(fake_home, capsys) == ("up to date", None)
    assert run(fake_home, "a").metadata["swap_ready_facesets"]["unchanged"], "it was reported"


@pytest.mark.parametrize("step", ["osrc_clusters.Page", "top_manifest.merge_top_manifest"])
def test_a_step_before_or_after_publication_that_fails_leaves_the_bucket_unfinished(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    with monkeypatch.context() as patched:
        patched.setattr(f"facesets_dagster.assets.{step}", broken)
        assert not run(fake_home, "a").success
    assert state(fake_home, capsys) == ("unfinished", "failed: ValueError: no ink")
    assert run(fake_home, "a").success
    assert state(fake_home, capsys) == ("up to date", None)


def broken(*_: object, **__: object) -> None:
    raise ValueError("no ink")


def test_a_failure_of_another_job_leaves_a_bucket_as_it_stands(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    run(fake_home, "a")
    monkeypatch.setattr("facesets_dagster.assets.first_look.Page", broken)
    assert not fake_home.materialize("first_look", bucket="a", raise_on_error=False).success
    assert state(fake_home, capsys) == ("up to date", None)


def test_the_report_index_says_that_a_person_ended_the_run(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    done = run(fake_home, "a")
    record = fake_home.instance.get_run_by_id(done.run_id)
    assert record is not None
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_CANCELED.value, record.job_name)
    context = dg.build_run_status_sensor_context("ended_run_sensor", event, fake_home.instance, record)
    sensor: Callable[..., object] = build_ended_run_sensor(fake_home.settings)
    sensor(context)
    assert "ended by a person" in (fake_home.settings.reports_dir / "index.html").read_text()

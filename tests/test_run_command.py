"""`facesets run` in process, with the fake model: what it takes for news, and what its summary tells."""

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
import yaml
from rich.console import Console

from facesets_dagster.automation.in_process import FinishedRun
from facesets_dagster.cli import run as command
from facesets_dagster.cli.status import print_status
from facesets_dagster.errors import SettingsError
from testing.fake_home import FakeHome
from testing.fakes import too_deep, write_looks, write_person

Run = Callable[..., str]


@pytest.fixture
def run(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`facesets run BUCKETS` with FACESETS_JOB=full_pipeline; returns what it printed."""

    monkeypatch.setattr(command, "instance_of", fake_home.instance_of)
    monkeypatch.setattr(command, "build_defs", fake_home.definitions_of)
    settings = fake_home.settings.model_copy(update={"job": "full_pipeline"})

    def facesets_run(*buckets: str, code: int = 0, config: dict[str, Any] | None = None) -> str:
        said, path = io.StringIO(), None
        if config is not None:
            path = fake_home.settings.home / "run.yaml"
            path.write_text(yaml.safe_dump(config))
        assert command.run_buckets(settings, list(buckets), path, Console(file=said, width=200)) == code, said
        return said.getvalue()

    return facesets_run


def test_news_of_the_hand_sorted_folders_are_news_for_every_bucket(fake_home: FakeHome, run: Run) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, 0.0, 0.9])
    write_person(fake_home.buckets / "b", 2, 8)
    run()
    assert "Nothing to do: all 2 buckets are up to date." in run()
    write_looks(fake_home.people / "Anna", 1, [-0.4, 0.4, 0.7])
    said = run()
    assert "faceset_002 founded by hand-sorted folders" in said
    assert "a: 3 faces joined faceset_002 (Anna)" in said
    assert "Nothing to do" in run()
    assert fake_home.flaws() == []


def test_hand_sorted_folders_without_any_bucket_are_published(fake_home: FakeHome, run: Run) -> None:
    assert "There is no bucket" in run()
    write_looks(fake_home.people / "Anna", 1, [-0.9, -0.4, 0.4, 0.9])
    said = run()
    assert "hand-sorted folders: faceset_001 founded by hand-sorted folders" in said
    assert [(one.name, one.label) for one in fake_home.library.registry.identities()] == [("faceset_001", "Anna")]
    assert fake_home.flaws() == []
    once = fake_home.files()
    assert "founded" not in run()
    assert fake_home.files() == once
    write_looks(fake_home.people / "Bo", 2, [-0.9, -0.4, 0.4, 0.9])
    assert "faceset_002 founded by hand-sorted folders" in run(config={"ops": {
        "hand_sorted_facesets": {"config": {"min_face_short_px": 90}}, "osrc_clusters": {"config": {"min_faces": 9}},
    }})  # fmt: skip
    write_person(fake_home.buckets / "b", 1, 6, first=8)
    assert "joined faceset_001 (Anna)" in run()
    assert fake_home.flaws() == []


def test_what_such_a_run_did_not_get_to_is_done_by_the_next_one(
    fake_home: FakeHome, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_looks(fake_home.buckets / "a", 2, [-0.9, 0.0, 0.9])
    write_looks(fake_home.buckets / "b", 1, [-0.9, 0.0, 0.9])
    run()
    write_looks(fake_home.people / "Anna", 1, [-0.4, 0.4, 0.7])
    with monkeypatch.context() as patched:
        patched.setattr(command, "print_summary", lambda *_: None)
        real = command.run_job

        def ended(job: dg.JobDefinition, instance: dg.DagsterInstance, **share: Any) -> FinishedRun:
            if share["partition_key"] == "b":
                return FinishedRun("run", success=False, interrupted=True, failures=(), metadata={})
            return real(job, instance, **share)

        patched.setattr(command, "run_job", ended)
        run(code=1)
    said = run()
    assert "b: 3 faces joined faceset_001 (Anna)" in said
    assert not [line for line in said.splitlines() if line.startswith("a ")], "it was done"


def test_the_summary_says_how_many_faces_joined_whom(fake_home: FakeHome, run: Run) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    run("a")
    write_looks(fake_home.buckets / "b", 1, [-0.33, 0.11])
    said = run("b")
    assert "b: 2 faces joined faceset_001" in said
    row = next(line for line in said.splitlines() if line.startswith("b ") and "joined" not in line)
    assert row.split()[-1] == "done"
    assert "joined" not in run("b")


def test_a_bucket_that_cannot_be_read_stops_nobody(
    fake_home: FakeHome, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    write_person(fake_home.buckets / "b", 1, 7)
    too_deep(fake_home.buckets / "a")
    said = run(code=1)
    assert "a: not run. The folder" in said
    assert "cannot be read (File name too long)" in said
    row = next(line for line in said.splitlines() if line.startswith("b "))
    assert row.split()[-1] == "done"
    said = run(code=1)
    assert "a: not run." in said
    assert "Nothing to do" not in said
    said = run("a", "b", code=1)
    assert "a: not run." in said
    assert [line.split()[-1] for line in said.splitlines() if line.startswith("b ")] == ["same"]
    print_status(fake_home.settings, as_json=True)
    rows = {row["bucket"]: row for row in json.loads(capsys.readouterr().out)["buckets"]}
    assert (rows["a"]["state"], rows["b"]["state"]) == ("unreadable", "up to date")
    assert "File name too long" in rows["a"]["problem"]


def test_a_run_that_a_person_ends_says_so_and_the_next_one_finishes_it(
    fake_home: FakeHome, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    write_person(fake_home.buckets / "b", 2, 7)

    def ctrl_c(*_: object, **__: object) -> None:
        raise dg.DagsterExecutionInterruptedError

    with monkeypatch.context() as patched:
        patched.setattr("facesets_dagster.assets.swap_ready_facesets.write_report", ctrl_c)
        said = run(code=1)
    assert "a: ended by a person. Finished steps are kept; `facesets run` continues from there." in said
    assert "Traceback" not in said
    assert not [line for line in said.splitlines() if line.startswith("b ")], "the next bucket was begun"
    index = fake_home.settings.reports_dir / "index.html"
    assert "ended by a person" in index.read_text()
    row = next(line for line in run().splitlines() if line.startswith("a "))
    assert (row.split()[4], row.split()[-1]) == ("1", "done"), "the faceset that was founded before counts as new"
    assert "1 founded" in index.read_text()


def test_nothing_is_queued_without_a_daemon_that_takes_it(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    folder = fake_home.settings.home / "instance"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        monkeypatch.setattr(command, "instance_of", lambda _: contextlib.nullcontext(instance))
        said = Console(file=io.StringIO())
        with pytest.raises(SettingsError, match=r"No Dagster daemon takes runs from the queue.*Nothing was queued"):
            command.run_buckets(fake_home.settings, [], None, said, launch=True)
        assert list(instance.get_runs()) == []

"""What a run does with an error: teach, retry where that can help, and end when it is told to."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.assets import _asset as failures
from facesets_dagster.assets import swap_ready_facesets
from facesets_dagster.publishing.swap_ready_facesets import publish_bucket
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.forked import ForkedHome
from testing.homes import RealHome


def test_a_disk_that_was_busy_is_tried_again(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def busy_once(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(16, "Device or resource busy")
        return publish_bucket(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(failures, "RETRY_SECONDS", 0)
    monkeypatch.setattr(swap_ready_facesets, "publish_bucket", busy_once)
    write_person(fake_home.buckets / "a", 1, 7)
    assert fake_home.run("a").success
    assert len(calls) == 2


def test_a_disk_that_stays_busy_fails_the_run_with_the_reason(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(failures, "RETRY_SECONDS", 0)
    monkeypatch.setattr(swap_ready_facesets, "publish_bucket", busy)
    write_person(fake_home.buckets / "a", 1, 7)
    result = fake_home.run("a", raise_on_error=False)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "Device or resource busy" in str(failure.step_failure_data.error)


def test_an_error_of_the_domain_is_not_tried_again(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    fake_home.run("a")
    (fake_home.buckets / "a").rename(fake_home.buckets.parent / "elsewhere")
    result = fake_home.run("a", raise_on_error=False)
    kinds = [event.event_type for event in result.all_events]
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    assert not result.success


@pytest.mark.parametrize("ending", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_run_that_is_terminated_ends_and_keeps_what_was_done(
    tmp_path: Path, embedded_models_root: Path, sample: Path, ending: signal.Signals
) -> None:
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root).made()
    shutil.copytree(sample, tmp_path / "home" / "buckets", dirs_exist_ok=True)
    child = RealHome.start(home, "run", start_new_session=True)  # an interpreter that started as a user's does
    contents = tmp_path / "home" / "cache" / "faces"
    while not list(contents.rglob("*.parquet")) and child.poll() is None:
        time.sleep(0.05)
    os.kill(child.pid, ending)
    said, _ = child.communicate()
    assert child.returncode == 1, said
    assert "ended by a person" in said
    assert "`facesets run` continues from there" in said
    assert "Traceback" not in said
    begun = {row["bucket"]: row for row in json.loads(home.facesets("status", "--json"))["buckets"]}["family album"]
    assert (begun["state"], begun["problem"]) == ("unfinished", "ended by a person")
    assert "press" not in said, "the next bucket was begun"
    assert not (tmp_path / "home" / "facesets_swap_ready" / ".lock.json").exists()
    assert list(contents.rglob("*.parquet"))
    said = home.facesets("run")
    assert "left locked" not in said
    home.facesets("verify")
    assert len(json.loads(home.facesets("status", "--json"))["buckets"]) == 4

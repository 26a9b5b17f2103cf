"""Many buckets in one go: one process, one model, one run each in Dagster's records."""

import io
import os
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import onnxruntime
import pytest
from rich.console import Console

from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.run import run_buckets
from facesets_dagster.embedding import load
from facesets_dagster.settings import Settings
from testing.homes import RealHome

BUCKETS = ("a", "b", "c", "d")


@pytest.fixture
def settings(tmp_path: Path, embedded_models_root: Path, sample: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with four buckets of two photos each, the embedded pack, and no model loaded yet."""
    monkeypatch.setattr(load, "_LOADED", {})
    monkeypatch.setenv("DAGSTER_HOME", "set by the command")  # and put back afterwards
    settings = RealHome(tmp_path / "home", "embedded", embedded_models_root).made().settings
    photos = sorted((sample / "trip").glob("*.jpg"))
    assert len(photos) >= 2 * len(BUCKETS)
    for number, bucket in enumerate(BUCKETS):
        (settings.bucket_roots[0] / bucket).mkdir()
        for photo in photos[2 * number : 2 * number + 2]:
            shutil.copy(photo, settings.bucket_roots[0] / bucket / photo.name)
    return settings


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every session that ONNX Runtime opens."""
    found: list[int] = []

    class Counted(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            found.append(os.getpid())
            super().__init__(*arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Counted)
    return found


def test_many_buckets_in_one_go_open_the_models_of_one(settings: Settings, opened: list[int]) -> None:
    said = io.StringIO()
    assert run_buckets(settings, [BUCKETS[0]], None, Console(file=said)) == 0, said.getvalue()
    of_one = len(opened)
    assert of_one >= 2
    assert run_buckets(settings, [], None, Console(file=said)) == 0, said.getvalue()
    assert len(opened) == of_one
    assert set(opened) == {os.getpid()}
    with instance_of(settings) as instance:
        runs = instance.get_runs()
        assert {run.tags["dagster/partition"] for run in runs} == set(BUCKETS)
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert all(instance.all_logs(run.run_id) for run in runs)

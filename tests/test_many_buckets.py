"""Many buckets in one go: one process, one model, and Dagster's own records none the worse for being cheap."""

import io
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import onnxruntime
import pytest
from rich.console import Console

from facesets_dagster.cli.dagster_instance import cheap_event_log, instance_of
from facesets_dagster.cli.run import run_buckets
from facesets_dagster.embedding import load
from facesets_dagster.home import init_home
from facesets_dagster.sample.buckets import write_sample
from facesets_dagster.settings import Settings
from testing.homes import RealHome

BUCKETS = ("a", "b", "c", "d")


@pytest.fixture
def settings(tmp_path: Path, embedded_models_root: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with four buckets of two photos each, the embedded pack, and no model loaded yet."""
    monkeypatch.setattr(load, "_LOADED", {})
    monkeypatch.setenv("DAGSTER_HOME", "set by the command")  # and put back afterwards
    settings = RealHome(tmp_path / "home", "embedded", embedded_models_root).settings
    init_home(settings, say=lambda _: None, automation=False)
    write_sample(tmp_path / "sample", cache_dir=embedded_models_root / "sample")
    photos = sorted((tmp_path / "sample" / "trip").glob("*.jpg"))
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


def test_only_dagsters_own_databases_are_made_cheap_and_only_meanwhile(tmp_path: Path) -> None:
    import sqlalchemy as sa

    def synchronous(path: Path) -> int:
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            connection.execute(sa.text("PRAGMA journal_mode = WAL"))
            found = int(connection.execute(sa.text("PRAGMA synchronous")).scalar_one())
        engine.dispose()
        return found

    dagster = tmp_path / "dagster"
    inside = [dagster / "history" / "runs" / "index.db", dagster / "schedules" / "schedules.db"]
    beside = [tmp_path / "registry.db", dagster / "registry.db", dagster / "home" / "registry_fresh.db"]
    for path in (*inside, *beside):
        path.parent.mkdir(parents=True, exist_ok=True)
    full, normal = 2, 1
    with cheap_event_log(dagster):
        assert [synchronous(path) for path in inside] == [normal, normal]
        assert [synchronous(path) for path in beside] == [full, full, full]
    assert [synchronous(path) for path in inside] == [full, full]


def test_the_log_of_a_new_database_is_kept_between_connections(tmp_path: Path) -> None:
    import sqlalchemy as sa

    database = tmp_path / "history" / "a run.db"
    database.parent.mkdir()
    with cheap_event_log(tmp_path):
        for statement in ("PRAGMA journal_mode = WAL", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"):
            engine = sa.create_engine(f"sqlite:///{database}")
            with engine.begin() as connection:
                connection.execute(sa.text(statement))
            engine.dispose()
        assert database.with_name("a run.db-wal").stat().st_size > 0
    assert [path.name for path in database.parent.iterdir()] == ["a run.db"]


def test_the_database_of_a_run_is_whole_when_the_command_is_done(tmp_path: Path) -> None:
    import sqlalchemy as sa

    folder = tmp_path / "dagster" / "history"
    folder.mkdir(parents=True)
    with cheap_event_log(tmp_path / "dagster"):
        for number in range(10):
            engine = sa.create_engine(f"sqlite:///{folder / f'run {number}.db'}")
            with engine.begin() as connection:
                connection.execute(sa.text("PRAGMA journal_mode = WAL"))
                connection.execute(sa.text("CREATE TABLE t (x)"))
                connection.execute(sa.text("INSERT INTO t VALUES (1)"))
            engine.dispose()
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"run {number}.db" for number in range(10))
    for path in folder.iterdir():
        copied = shutil.copy(path, tmp_path / path.name)
        connection = sqlite3.connect(copied)
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]
        connection.close()

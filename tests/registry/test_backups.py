"""Copies of the registry: one of each state, readable by the owner alone, the newest few kept."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from facesets_dagster.registry import backups
from facesets_dagster.registry.backups import back_up, backups_folder, backups_of, remove_backups, renew_backups
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.schema import next_generation


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    found.create()
    return found


def publish(registry: Registry) -> None:
    with registry.engine.begin() as connection:
        next_generation(connection)


def test_a_copy_is_the_registry_as_it_was_and_private_whatever_the_umask(registry: Registry) -> None:
    before = os.umask(0)
    try:
        made = back_up(registry, 3)
    finally:
        os.umask(before)
    assert made is not None
    assert backups_of(registry) == [made]
    assert (made.path.stat().st_mode & 0o777, made.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in made.path.parent.iterdir()] == [made.name]
    with closing(sqlite3.connect(made.path)) as copy:
        kept = list(copy.iterdump())
    with closing(sqlite3.connect(str(registry.engine.url.database))) as source:
        assert kept == list(source.iterdump())
    assert made.is_of(registry.state())


def test_the_newest_few_are_kept_and_one_of_each_state(registry: Registry) -> None:
    for _ in range(5):
        publish(registry)
        back_up(registry, 3)
        back_up(registry, 3)
    assert [one.generation for one in backups_of(registry)] == [5, 4, 3]
    assert back_up(registry, 0) is None
    assert [one.generation for one in backups_of(registry)] == [5, 4, 3]


def test_a_large_registry_is_not_copied_again_at_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "_ALWAYS_BELOW", 0)
    monkeypatch.setattr(backups, "_SECONDS_PER_BYTE", 1.0)
    assert back_up(registry, 3) is not None
    publish(registry)
    assert back_up(registry, 3) is None
    assert back_up(registry, 3, at_once=True) is not None


def test_forgetting_leaves_one_copy_and_none_of_an_upgrade(registry: Registry) -> None:
    back_up(registry, 3)
    publish(registry)
    back_up(registry, 3)
    file = Path(str(registry.engine.url.database))
    old = file.with_name("registry.db.schema1")
    shutil.copy(file, old)
    removed = renew_backups(registry, 3)
    assert len(removed) == 3
    assert old in removed
    assert not old.exists()
    assert [one.is_of(registry.state()) for one in backups_of(registry)] == [True]
    assert remove_backups(registry)
    assert backups_of(registry) == []
    folder = backups_folder(registry)
    assert folder is not None
    assert list(folder.iterdir()) == []

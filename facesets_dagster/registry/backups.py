"""Copies of a SQLite registry, made by itself after each publication that changed something, the newest few kept.

    <home>/registry_backups/20261129T020659123Z-g000012-<mark>.db     readable by the owner alone

A copy is as personal as the registry: it holds names, embeddings and rulings. So forgetting removes all of them and
makes a new one (`renew_backups`). A registry on a server is backed up by the means of that server.
"""

import os
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from facesets_dagster.files.writing import remove_leftovers, sync_folder, temporary_for
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.schema import State, read_state

_NAME = re.compile(r"(\d{8}T\d{9}Z)-g(\d+)-([0-9a-f]+|none)\.db")
_ALWAYS_BELOW = 32_000_000
"""Bytes of a registry that is copied after each publication."""
_SECONDS_PER_BYTE = 60 / 100_000_000
"""Of a larger one: the shortest time between two copies grows with it, so that copying takes a few per cent at most."""


@dataclass(frozen=True)
class Backup:
    """One copy."""

    path: Path
    made_at: datetime
    generation: int
    mark: str
    """First digits of the mark of its generation; `none` where an older release made that."""

    @property
    def name(self) -> str:
        """As `facesets recover --from-backup` takes it."""
        return self.path.name

    def is_of(self, state: State) -> bool:
        """Whether it holds the registry as it was in this state."""
        return (self.generation, self.mark) == (state.generation, _mark_digits(state))


def backups_folder(registry: Registry) -> Path | None:
    """Where the copies of a registry lie; None for one that is no file."""
    file = registry_file(registry)
    return None if file is None else file.with_name(f"{file.stem}_backups")


def registry_file(registry: Registry) -> Path | None:
    """SQLite's file; None for a server."""
    database = registry.engine.url.database
    if registry.engine.dialect.name != "sqlite" or not database or database == ":memory:":
        return None
    return Path(database)


def backups_of(registry: Registry) -> list[Backup]:
    """The copies that lie there, newest first."""
    folder = backups_folder(registry)
    found = []
    for path in folder.iterdir() if folder is not None and folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match:
            made_at = datetime.strptime(match[1], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
            found.append(Backup(path, made_at, int(match[2]), match[3]))
    return sorted(found, key=lambda one: one.name, reverse=True)


def back_up(registry: Registry, keep: int, *, at_once: bool = False) -> Backup | None:
    """Copies the registry and removes all but the newest `keep` copies; an older copy of the same state goes.

    None where nothing was copied: `keep` is 0, the registry is no file, or it is large and was copied a moment ago
    (unless `at_once`).
    """
    folder, file = backups_folder(registry), registry_file(registry)
    if keep <= 0 or folder is None or file is None or not file.exists():
        return None
    known = backups_of(registry)
    if known and not at_once and _was_copied_a_moment_ago(file, known[0]):
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    remove_leftovers(folder)
    made, state = _copy(file, folder, after=known[0].made_at if known else None)
    same = [one for one in known if one.is_of(state)]
    others = [one for one in known if one not in same]
    for old in [*same, *others[keep - 1 :]]:
        if old.path != made.path:
            old.path.unlink(missing_ok=True)
    return made


def remove_backups(registry: Registry) -> list[Path]:
    """Removes every copy of the registry, those of upgrades and of recoveries too; gives their paths."""
    file = registry_file(registry)
    if file is None:
        return []
    beside = [path for path in file.parent.glob(f"{file.name}.*") if path.suffix not in (".lock",)]
    found = [*(one.path for one in backups_of(registry)), *sorted(beside)]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def renew_backups(registry: Registry, keep: int) -> list[Path]:
    """Removes every copy and makes one of the registry as it is now: for what must be in no copy any more.

    Gives the paths of those that were removed.
    """
    removed = remove_backups(registry)
    back_up(registry, keep, at_once=True)
    return removed


def _copy(file: Path, folder: Path, *, after: datetime | None) -> tuple[Backup, State]:
    """A copy; its date is later than `after`, though the clock was set back: the newest copy is the last one."""
    with temporary_for(folder / "copy") as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        copy_database(file, temporary)
        engine = sa.create_engine(f"sqlite:///{temporary}", poolclass=sa.NullPool)
        with engine.connect() as connection:
            state = read_state(connection)
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        now = datetime.now(UTC)
        if after is not None and now <= after:
            now = after + timedelta(milliseconds=1)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        stamp = now.strftime("%Y%m%dT%H%M%S") + f"{now.microsecond // 1000:03d}Z"
        path = folder / f"{stamp}-g{state.generation:06d}-{_mark_digits(state)}.db"
        os.replace(temporary, path)
    sync_folder(folder)
    return Backup(path, now, state.generation, _mark_digits(state)), state


def copy_database(source: Path, target: Path) -> None:
    """Copies a SQLite file by its online backup, whoever writes it meanwhile; leaves no other file beside `target`."""
    with closing(sqlite3.connect(source, timeout=60)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
        written.execute("PRAGMA journal_mode=DELETE")


def _was_copied_a_moment_ago(file: Path, newest: Backup) -> bool:
    size = file.stat().st_size
    return size > _ALWAYS_BELOW and 0 <= time.time() - newest.made_at.timestamp() < size * _SECONDS_PER_BYTE


def _mark_digits(state: State) -> str:
    return "none" if state.mark is None else state.mark[:8]

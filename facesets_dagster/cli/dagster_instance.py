"""The home's Dagster instance, for commands that materialize."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesets_dagster.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

_DATABASES = ("history", "schedules")
"""The folders of `DAGSTER_HOME` that hold them; the registry may lie beside these, and is left alone."""
_HELD = 4
"""Databases held open at a time: those of all runs and of the index, and the one of the run under way."""


@contextmanager
def instance_of(settings: Settings) -> Iterator["dg.DagsterInstance"]:
    """The instance that `make dev` shows, so that everything has lineage."""
    import dagster as dg

    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)  # also for processes that Dagster starts
    with cheap_event_log(settings.dagster_home), dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def cheap_event_log(folder: Path) -> Iterator[None]:
    """Dagster's SQLite databases in `folder`, its home, cost less in this process for as long as the block lasts.

    Dagster opens and closes a connection for each of the some 300 transactions of a run. Each commit waits for the
    disk, and each close, being the last one, copies the log into the database and waits again: for a bucket of ten
    photos that costs as much as the photos do. Here a connection is held open, and the log of events is synced when
    it is copied. A killed process loses nothing; a power cut may lose the last events of a run, never the databases.
    The registry, which decides what the library is, lies elsewhere and is synced at each commit.
    """
    import sqlalchemy as sa

    held: dict[str, sqlite3.Connection] = {}
    folders = [folder.resolve() / name for name in _DATABASES]

    def on_connect(connection: Any, _: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        if not path or not any(Path(path).is_relative_to(one) for one in folders):
            return
        connection.execute("PRAGMA synchronous = NORMAL")
        if path not in held:
            held[path] = sqlite3.connect(path, check_same_thread=False)
            if len(held) > _HELD:
                held.pop(next(name for name in held if Path(name).stem not in ("index", "runs"))).close()
        with suppress(sqlite3.OperationalError):  # somebody makes the database just now: the next time
            # A database is new when it is met first, and has no log yet: only a look tells the held one that it has.
            held[path].execute("SELECT count(*) FROM sqlite_master").fetchone()

    sa.event.listen(sa.engine.Engine, "connect", on_connect)
    try:
        yield
    finally:
        sa.event.remove(sa.engine.Engine, "connect", on_connect)
        for connection in held.values():
            connection.close()

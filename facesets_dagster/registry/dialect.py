"""What differs between SQLite and PostgreSQL: how an engine is made, upserts, and waiting for one's turn."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.dialects import postgresql, sqlite

from facesets_dagster.databases import engine_for, with_driver
from facesets_dagster.files.access import begin_file
from facesets_dagster.registry.unavailable import damage, say_in_a_sentence

_TURN = 0x66616365
"""Key of the advisory lock in PostgreSQL; any constant of our own."""
BUSY_SECONDS = 60
"""For so long a SQLite file that another program has locked is waited for; after that a sentence says so."""


def make_engine(database_url: str) -> sa.Engine:
    """The engine for a URL. SQLite's file is open only while it is read or written.

    So a home that is at rest has no journal beside it and can be copied, restored or removed while the daemon runs.
    """
    url = with_driver(database_url)
    if url.get_backend_name() != "sqlite":
        engine = engine_for(url, named_by="FACESETS_DATABASE_URL", pool_pre_ping=True)
        say_in_a_sentence(engine, database_url)
        return engine
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    say_in_a_sentence(engine, database_url)

    @sa.event.listens_for(engine, "do_connect")
    def _private(*_: object) -> None:
        if engine.url.database not in (None, "", ":memory:"):
            with suppress(OSError):  # SQLite says what is wrong
                begin_file(Path(engine.url.database))

    @sa.event.listens_for(engine, "connect")
    def _durable(connection: Any, _: object) -> None:
        try:
            connection.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")
            connection.execute("PRAGMA synchronous=FULL")
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                # Two who switch at once are refused in spite of the timeout; the mode stays in the file.
                with FileLock(f"{engine.url.database}.lock"):
                    connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            damaged = damage(engine, error)
            if damaged is None:
                raise
            raise damaged from error

    return engine


def insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """An insert that can say what happens to a row that is there, in the dialect of the database."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def wait_for_turn(connection: sa.Connection) -> None:
    """Until the end of the transaction nobody else gets here: looking and writing is not one step in SQL."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))


def make_schema(connection: sa.Connection) -> None:
    """Makes the schema that the registry's address names, if its server has none of that name."""
    if connection.dialect.name == "sqlite" or connection.scalar(sa.select(sa.func.current_schema())) is not None:
        return
    first = str(connection.scalar(sa.select(sa.func.current_setting("search_path")))).split(",")[0].strip()
    if first and first != '"$user"':
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {first}")  # written as SQL wants it already

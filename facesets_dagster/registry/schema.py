"""How the registry's database is opened and made, and how its generations are counted."""

import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.dialects import postgresql, sqlite

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.registry import tables as t

_MAKING_TABLES = 0x66616365
"""Key of the advisory lock in PostgreSQL; any constant of our own."""


_LATER_COLUMNS = (
    ("identities", "changed", "INTEGER"),
    ("tombstones", "changed", "INTEGER"),
    ("decisions", "ruling", "VARCHAR"),
)
"""Table, column and type of what older layouts lack; rows that are there get null."""


@dataclass(frozen=True)
class State:
    """Two registries with the same state hold the same identities, members and decisions."""

    generation: int
    mark: str | None
    """None if another release made this generation."""


def make_engine(database_url: str) -> sa.Engine:
    """The engine for a URL. SQLite's file is open only while it is read or written.

    So a home that is at rest has no journal beside it and can be copied, restored or removed while the daemon runs.
    """
    if sa.make_url(database_url).get_backend_name() != "sqlite":
        return sa.create_engine(database_url, pool_pre_ping=True)
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _durable(connection: Any, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=60000")
        connection.execute("PRAGMA synchronous=FULL")
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            # Two who switch at once are refused in spite of the timeout; the mode stays in the file.
            with FileLock(f"{engine.url.database}.lock"):
                connection.execute("PRAGMA journal_mode=WAL")

    return engine


def create_tables(engine: sa.Engine) -> None:
    """Makes what is absent; one query where nothing is. Raises `LibraryCorrupt` for another schema version."""
    found = _versions(engine)
    if found.get("layout") != t.LAYOUT:
        with engine.begin() as connection:
            wait_for_turn(connection)
            _make(connection)
        found = _versions(engine)
    if found.get("schema_version") != t.SCHEMA_VERSION:
        raise LibraryCorrupt(
            f"The registry has schema version {found.get('schema_version')}, this release reads {t.SCHEMA_VERSION}. "
            "Use the release that wrote it, or follow the upgrade page of the docs. Nothing was changed."
        )


def _versions(engine: sa.Engine) -> dict[str, str]:
    """Schema version and layout; {} where there are no tables yet."""
    query = sa.select(t.meta.c.key, t.meta.c.value).where(t.meta.c.key.in_(["schema_version", "layout"]))
    try:
        with engine.connect() as connection:
            return {row.key: row.value for row in connection.execute(query)}
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        return {}  # Nothing there; if it is something else, making the tables says what.


def _make(connection: sa.Connection) -> None:
    version = None
    if sa.inspect(connection).has_table("meta"):
        version = connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == "schema_version"))
    if version not in (None, t.SCHEMA_VERSION):
        return
    t.metadata.create_all(connection)
    for name, column, kind in _LATER_COLUMNS:
        if column not in {known["name"] for known in sa.inspect(connection).get_columns(name)}:
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {column} {kind}")
    for table in t.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    insert = insert_into(connection, t.meta)
    connection.execute(insert.on_conflict_do_nothing(), [{"key": "schema_version", "value": t.SCHEMA_VERSION}])
    connection.execute(insert.on_conflict_do_nothing(), [{"key": "generation", "value": "0"}])
    marked = insert_into(connection, t.generations).on_conflict_do_nothing()
    connection.execute(marked.values(generation=read_state(connection).generation, mark=uuid.uuid4().hex))
    newer = insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded.value})
    connection.execute(newer, [{"key": "layout", "value": t.LAYOUT}])


def read_state(connection: sa.Connection) -> State:
    """As the connection sees it."""
    generation = sa.cast(t.meta.c.value, sa.Integer)
    joined = t.meta.outerjoin(t.generations, t.generations.c.generation == generation)
    query = sa.select(generation, t.generations.c.mark).select_from(joined).where(t.meta.c.key == "generation")
    row = connection.execute(query).one()
    return State(int(row[0]), row[1])


def next_generation(connection: sa.Connection) -> int:
    """The generation that this transaction makes; another one that makes a generation waits until its end."""
    this = t.meta.c.key == "generation"
    following = sa.cast(sa.cast(t.meta.c.value, sa.Integer) + 1, sa.String)
    connection.execute(sa.update(t.meta).where(this).values(value=following))
    generation = int(connection.scalar(sa.select(t.meta.c.value).where(this)) or 0)
    connection.execute(sa.insert(t.generations).values(generation=generation, mark=uuid.uuid4().hex))
    return generation


def insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """An insert that can say what happens to a row that is there, in the dialect of the database."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def wait_for_turn(connection: sa.Connection) -> None:
    """Until the end of the transaction nobody else gets here: looking and writing is not one step in SQL."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING_TABLES)))

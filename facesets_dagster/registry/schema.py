"""How the registry's database is opened and made, and how its generations are counted."""

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import insert_into, make_schema, wait_for_turn
from facesets_dagster.registry.upgrade import keep_copy, to_schema_2

_BEFORE = "1"
"""The schema that is upgraded when a registry is opened."""

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


def create_tables(engine: sa.Engine) -> None:
    """Makes what is absent, and schema 2 of schema 1; one query where nothing is to be done.

    Raises `LibraryCorrupt` for another schema version.
    """
    found = versions_of(engine)
    if found.get("layout") != t.LAYOUT or found.get("schema_version") == _BEFORE:
        with engine.begin() as connection:
            wait_for_turn(connection)
            _make(connection)
        found = versions_of(engine)
    if found.get("schema_version") != t.SCHEMA_VERSION:
        refuse_newer(found)


def refuse_newer(found: dict[str, str]) -> None:
    """Raises `LibraryCorrupt` for versions that this release does not read; `found`: of `versions_of`."""
    if found.get("schema_version") not in (None, _BEFORE, t.SCHEMA_VERSION):
        raise LibraryCorrupt(
            f"The registry has schema version {found.get('schema_version')}, this release reads {t.SCHEMA_VERSION}. "
            "Use the release that wrote it, or follow the upgrade page of the docs. Nothing was changed."
        )


def versions_of(engine: sa.Engine) -> dict[str, str]:
    """Schema version, layout and generation; {} where there are no tables yet."""
    keys = ["schema_version", "layout", "generation"]
    query = sa.select(t.meta.c.key, t.meta.c.value).where(t.meta.c.key.in_(keys))
    try:
        with engine.connect() as connection:
            return {row.key: row.value for row in connection.execute(query)}
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        return {}  # Nothing there; if it is something else, making the tables says what.


def _make(connection: sa.Connection) -> None:
    version = None
    if sa.inspect(connection).has_table("meta"):
        version = connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == "schema_version"))
    if version not in (None, _BEFORE, t.SCHEMA_VERSION):
        return
    if version is not None:
        layout = connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == "layout"))
        keep_copy(connection, f"schema{version}" if version == _BEFORE else f"layout{layout or 0}")
    make_schema(connection)
    t.metadata.create_all(connection)
    for name, column, kind in _LATER_COLUMNS:
        if column not in {known["name"] for known in sa.inspect(connection).get_columns(name)}:
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {column} {kind}")
    for table in t.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    if version == _BEFORE:
        to_schema_2(connection)
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

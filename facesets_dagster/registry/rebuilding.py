"""A registry written as a whole, out of rows that were found elsewhere; and whether one can be read at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.pairing import ID_KEY
from facesets_dagster.registry.registry import Registry, file_of
from facesets_dagster.registry.rows import Rows, enter_kept_rows
from facesets_dagster.registry.ruling_rows import insert_rulings, note_model_of_rulings
from facesets_dagster.registry.schema import State

_AT_ONCE = 10_000


@dataclass(frozen=True)
class Meta:
    """What a registry says of itself."""

    library_id: str
    state: State
    rulings_model: str | None


def fits(registry: Registry) -> str | None:
    """What makes the file of a registry unreadable; None for a sound one, a server, or where there is none."""
    if registry.engine.dialect.name != "sqlite" or file_of(registry.engine) is None:
        return None
    try:
        with registry.engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except LibraryCorrupt as error:
        return str(error)
    if found == "ok":
        return None
    return f"The registry {registry.engine.url.database} is damaged ({found})."


def write_registry(
    registry: Registry,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    rulings: Sequence[Ruling],
    kept: Rows,
    meta: Meta,
) -> None:
    """Makes the tables and fills them in one transaction. `rows`: table -> rows."""
    registry.create()
    with registry.engine.begin() as connection:
        _write_meta(connection, meta)
        for name, values in rows.items():
            table = t.metadata.tables[name]
            columns = {column.name for column in table.columns} - {"changed"}  # of this transaction, for every row
            wanted = sorted({key for row in values for key in row} & columns)
            known = [{key: row.get(key) for key in wanted} for row in values]
            for start in range(0, len(known), _AT_ONCE):
                connection.execute(sa.insert(table), known[start : start + _AT_ONCE])
        enter_kept_rows(connection, kept)
        insert_rulings(connection, rulings)
        if meta.rulings_model is not None:
            note_model_of_rulings(connection, meta.rulings_model)
        _set_sequences(connection)


def _write_meta(connection: sa.Connection, meta: Meta) -> None:
    connection.execute(sa.delete(t.generations))
    generation = meta.state.generation
    connection.execute(sa.update(t.meta).where(t.meta.c.key == "generation").values(value=str(generation)))
    connection.execute(sa.delete(t.meta).where(t.meta.c.key == ID_KEY))
    connection.execute(sa.insert(t.meta).values(key=ID_KEY, value=meta.library_id))
    if meta.state.mark is not None:
        connection.execute(sa.insert(t.generations).values(generation=generation, mark=meta.state.mark))


def _set_sequences(connection: sa.Connection) -> None:
    """Rows were entered with their keys: the next one of a server's sequence comes after them."""
    if connection.dialect.name != "postgresql":
        return
    for table, key in (("identities", "identity_id"), ("merges", "merge_id"), ("pending_moves", "step")):
        sequence = connection.exec_driver_sql(f"SELECT pg_get_serial_sequence('{table}', '{key}')").scalar()
        if sequence:
            connection.exec_driver_sql(
                f"SELECT setval('{sequence}', greatest((SELECT coalesce(max({key}), 0) FROM {table}), 1))"
            )

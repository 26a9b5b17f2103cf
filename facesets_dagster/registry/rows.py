"""Rows of the registry's tables as JSON and back: what the folders of facesets do not say, kept beside them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry

KEPT_TABLES: Sequence[sa.Table] = (
    t.eras,
    t.merges,
    t.ruled_identities,
    t.unruled_members,
    t.stood_before,
    t.kept_folders,
)
"""What rulings and eras rest on; empty in a library without either."""
_OUT_OF_USE = sa.select(t.tombstones.c.name)
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Table -> rows, values as JSON has them."""


def has_kept_rows(registry: Registry) -> bool:
    """Whether there is a ruling, an era, or somebody out of use; one statement."""
    with registry.engine.connect() as connection:
        some = (t.rulings.c.sequence > 0, t.eras.c.year > -1e9, t.tombstones.c.number >= 0)
        return bool(connection.scalar(sa.select(sa.or_(*(sa.exists().where(one) for one in some)))))


def kept_rows(registry: Registry) -> dict[str, list[dict[str, Any]]]:
    """The rows of `KEPT_TABLES` by their keys, and of those who are out of use their identities and members."""
    found = {}
    queries = [(table, sa.select(table)) for table in KEPT_TABLES]
    queries += [(table, sa.select(table).where(table.c.name.in_(_OUT_OF_USE))) for table in (t.identities, t.members)]
    with registry.engine.connect() as connection:
        for table, query in queries:
            rows = connection.execute(query.order_by(*table.primary_key.columns)).mappings()
            found[table.name] = [{key: _as_json(value) for key, value in row.items()} for row in rows]
    return found


def enter_kept_rows(connection: sa.Connection, rows: Rows) -> None:
    """Enters those of `KEPT_TABLES` into empty tables; columns and tables of another release are left aside.

    Raises `ValueError`, `TypeError` or an error of SQLAlchemy for rows that are none.
    """
    for table in KEPT_TABLES:
        names = {column.name for column in table.columns}
        values = [{key: from_json(row[key]) for key in row if key in names} for row in rows.get(table.name, [])]
        if values:
            connection.execute(sa.insert(table), values)


def _as_json(value: object) -> object:
    return {"base64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def from_json(value: object) -> Any:
    """A value of a row as the database takes it."""
    return base64.b64decode(value["base64"], validate=True) if isinstance(value, dict) else value

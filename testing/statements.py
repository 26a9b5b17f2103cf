"""The statements that a registry is sent, as SQLAlchemy hands them to the database's cursor."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from facesets_dagster.registry import tables
from facesets_dagster.registry.registry import Registry

_SMALL = ("meta", "pending_moves")
"""A handful of rows, however large the library."""

_TABLE = re.compile(r"\bFROM (\w+)")


def reads_whole_table(statement: str) -> bool:
    """Whether a statement gives every row of a table of the registry; an aggregate gives one."""
    found = _TABLE.search(statement)
    is_read = statement.startswith("SELECT") and not statement.startswith(("SELECT max(", "SELECT count("))
    return is_read and found is not None and _grows(found[1]) and "WHERE" not in statement


def _grows(table: str) -> bool:
    return table in tables.metadata.tables and table not in _SMALL


@contextmanager
def statements_to(registry: Registry) -> Iterator[list[str]]:
    """Fills the list with the statements for its database while the block runs; another database's do not count."""
    found, database = list[str](), registry.engine.url.database

    def note(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.engine.url.database == database:
            found.append(" ".join(statement.split()))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)

"""All rulings of a registry in memory: read once, and brought up by what was written or taken back since."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.read_rulings import read_rulings
from facesets_dagster.registry.ruling_rows import faces_rewritten, times_written
from facesets_dagster.registry.schema import read_state

_CHANGING = ("state", "published", "undone_at", "undone_by", "superseded_by")
"""Columns that change once a ruling is written."""
_FEW = 1_000
"""New rulings that are read by their ids; of more all are read again."""


@dataclass(frozen=True)
class _Mark:
    """When two are equal, so are the rulings."""

    state: object
    written: int


class RulingBook:
    """The rulings of one registry, for all threads of a process. A ruling that stays as it is stays the same object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark: _Mark | None = None
        self._faces: tuple[int, int] = (-1, 0)
        """Rows of faces, and how often rows were rewritten."""
        self._rulings: dict[str, Ruling] = {}
        """By id, oldest first."""

    def all(self, connection: sa.Connection) -> tuple[Ruling, ...]:
        """As they are now, oldest first. In a transaction: before it writes rulings."""
        with self._lock:
            state = read_state(connection)
            mark = _Mark((state.generation, state.mark), times_written(connection))
            if self._mark != mark:
                self._bring_up(connection)
                self._mark = mark
            return tuple(self._rulings.values())

    def _bring_up(self, connection: sa.Connection) -> None:
        columns = [t.rulings.c[name] for name in ("ruling_id", *_CHANGING)]
        rows = list(connection.execute(sa.select(*columns).order_by(t.rulings.c.sequence)))
        new = [row[0] for row in rows if row[0] not in self._rulings]
        few = self._mark is not None and len(new) <= _FEW
        added = _read(connection, new) if new and few else {}
        faces = (_count(connection), faces_rewritten(connection))
        if not few or faces != (self._faces[0] + _count(connection, new), self._faces[1]):
            self._rulings, added = _read(connection), {}
        known = {**self._rulings, **added}
        self._rulings = {row[0]: _as_in(known[row[0]], row) for row in rows}
        self._faces = faces


def _as_in(ruling: Ruling, row: sa.Row[Any]) -> Ruling:
    """The ruling with what its row says now; the same object if that is nothing new."""
    values: dict[str, Any] = dict(zip(_CHANGING, row[1:], strict=True))
    return (
        ruling if all(getattr(ruling, name) == value for name, value in values.items()) else replace(ruling, **values)
    )


def _read(connection: sa.Connection, ids: Collection[str] | None = None) -> dict[str, Ruling]:
    """Rulings whole by id, all or these."""
    where = [] if ids is None else [t.rulings.c.ruling_id.in_(sorted(ids))]
    return {ruling.ruling_id: ruling for ruling in read_rulings(connection, *where)}


def _count(connection: sa.Connection, ids: Collection[str] | None = None) -> int:
    """Rows of faces, of all rulings or of these."""
    query = sa.select(sa.func.count()).select_from(t.ruling_faces)
    if ids is None:
        return int(connection.scalar(query) or 0)
    return int(connection.scalar(query.where(t.ruling_faces.c.ruling_id.in_(sorted(ids)))) or 0) if ids else 0

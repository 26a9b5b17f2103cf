"""What a registry says of faces, read as a whole and written as a whole: for a home that gets another model pack.

Faces have other ids then, in every table at once. The statements are part of a publication's transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruled import StoodBefore, write_record, write_stale

Row = dict[str, Any]

_OF_FACES = (t.members, t.unruled_members, t.decisions)


@dataclass(frozen=True)
class FaceRows:
    """Rows of the tables that name faces."""

    members: Sequence[Row]
    unruled_members: Sequence[Row]
    decisions: Sequence[Row]


@dataclass(frozen=True)
class CarriedOver:
    """What the registry says with another model."""

    model_id: str
    faces: FaceRows
    centroids: Mapping[str, NDArray[np.float32] | None]
    """Name -> centroid of an identity without a faceset of the new model; None: nothing of it is known."""
    anchors: Mapping[str, NDArray[np.float32]]
    """Era -> what later photos are judged by."""
    records: Sequence[StoodBefore] = field(default_factory=tuple)
    """How identities stood before rulings, where faces are named there."""


def read_face_rows(registry: Registry) -> FaceRows:
    """All rows of these tables, in order."""
    with registry.engine.connect() as connection:
        found = [
            [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]
            for table in _OF_FACES
        ]
    return FaceRows(*found)


def write_carried_over(connection: sa.Connection, carried: CarriedOver) -> None:
    """Replaces what was said of the faces of another model; every bucket is to be run again."""
    for table in _OF_FACES:
        connection.execute(sa.delete(table))
        _insert(connection, table, getattr(carried.faces, table.name))
    connection.execute(sa.delete(t.joins))
    for name, centroid in carried.centroids.items():
        values = {"model_id": carried.model_id, "centroid": centroid.tobytes()} if centroid is not None else _UNKNOWN
        connection.execute(sa.update(t.identities).where(t.identities.c.name == name).values(**values))
    for name, anchor in carried.anchors.items():
        connection.execute(sa.update(t.eras).where(t.eras.c.name == name).values(centroid=anchor.tobytes()))
    for record in carried.records:
        write_record(connection, record)
    runs = {"model_id": carried.model_id, "inputs_digest": "", "identity_parameters": "{}"}
    connection.execute(sa.update(t.bucket_runs).values(**runs))
    write_stale(connection, connection.scalars(sa.select(t.bucket_runs.c.bucket)).all())


_UNKNOWN = {"model_id": None, "centroid": None}


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    values = list(rows)
    if values:
        connection.execute(sa.insert(table), values)

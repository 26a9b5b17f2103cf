"""Rulings read from their tables, each with its faces and names."""

import json
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from facesets_dagster.identities.reanchoring import of_model
from facesets_dagster.identities.rulings import Ruling, RulingFace
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.ruling_rows import model_of_rulings


def read_rulings(
    connection: sa.Connection, *where: sa.ColumnElement[bool], of_all_models: bool = False
) -> tuple[Ruling, ...]:
    """Rulings whole, oldest first, by the faces of the home's model."""
    rows = connection.execute(sa.select(t.rulings).where(*where).order_by(t.rulings.c.sequence)).mappings().all()
    ids = sa.select(t.rulings.c.ruling_id).where(*where)
    faces: dict[str, list[RulingFace]] = {}
    if rows:
        table = t.ruling_faces
        query = sa.select(table).where(table.c.ruling_id.in_(ids)).order_by(table.c.ruling_id, table.c.place)
        for face in connection.execute(query).mappings():
            faces.setdefault(face["ruling_id"], []).append(_face(face))
        model = None if of_all_models else model_of_rulings(connection)
        if model is not None:
            faces = {ruling_id: list(of_model(some, model)) for ruling_id, some in faces.items()}
    names: dict[str, dict[str, str]] = {}
    if rows:
        for name in connection.execute(sa.select(t.ruling_names).where(t.ruling_names.c.ruling_id.in_(ids))):
            names.setdefault(name.ruling_id, {})[name.role] = name.name
    return tuple(_ruling(row, faces.get(row["ruling_id"], []), names.get(row["ruling_id"], {})) for row in rows)


def _ruling(row: sa.RowMapping, faces: Sequence[RulingFace], names: dict[str, str]) -> Ruling:
    values = {key: row[key] for key in row if key != "payload"}
    ordered = dict(sorted(names.items()))
    return Ruling(**values, faces=tuple(faces), names=ordered, payload=json.loads(row["payload"]))


def _face(row: sa.RowMapping) -> RulingFace:
    return RulingFace(
        role=row["role"],
        photo_sha256=row["photo_sha256"],
        bbox=(row["x1"], row["y1"], row["x2"], row["y2"]),
        photo_width=row["photo_width"],
        photo_height=row["photo_height"],
        face_id=row["face_id"],
        bucket=row["bucket"],
        model_id=row["model_id"],
        embedding=None if row["embedding"] is None else np.frombuffer(row["embedding"], np.float16),
    )

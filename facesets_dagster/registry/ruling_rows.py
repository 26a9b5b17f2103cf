"""Rulings as rows of the registry: how they are entered, and how often. The statements are part of a transaction."""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from facesets_dagster.identities.rulings import Ruling, RulingFace
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import insert_into

_WRITTEN = "rulings"
"""Key of `meta`: how often rulings were written."""
_REWRITTEN = "ruling_faces"
"""Key of `meta`: how often faces or the payload of rulings on record were written again."""
_MODEL = "rulings_model"
"""Key of `meta`: the model whose faces rulings are read by; absent in a home that was never embedded anew."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def insert_rulings(connection: sa.Connection, rulings: Sequence[Ruling]) -> list[Ruling]:
    """Enters rulings as they are, each with the next number of the order; gives them with it."""
    last = int(connection.scalar(sa.select(sa.func.max(t.rulings.c.sequence))) or 0)
    written = [replace(ruling, sequence=place) for place, ruling in enumerate(rulings, start=last + 1)]
    for ruling in written:
        connection.execute(sa.insert(t.rulings).values(**_row(ruling)))
        names = [{"ruling_id": ruling.ruling_id, "role": role, "name": name} for role, name in ruling.names.items()]
        if names:
            connection.execute(sa.insert(t.ruling_names), names)
        faces = face_rows(ruling.ruling_id, ruling.faces)
        if faces:
            connection.execute(sa.insert(t.ruling_faces), faces)
    if written:
        count_writing(connection)
    return written


def now() -> str:
    """The time as rulings record it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """A ULID: 26 characters that sort by time. Source: github.com/ulid/spec."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def face_rows(ruling_id: str, faces: Iterable[RulingFace], first: int = 0) -> list[dict[str, Any]]:
    """Rows of `ruling_faces`; `first`: place of the first one."""
    rows = []
    for place, face in enumerate(faces, start=first):
        values = {key: value for key, value in vars(face).items() if key not in ("bbox", "embedding")}
        corners = dict(zip(("x1", "y1", "x2", "y2"), map(float, face.bbox), strict=True))
        vector = None if face.embedding is None else face.embedding.astype(np.float16).tobytes()
        rows.append({"ruling_id": ruling_id, "place": place, **values, **corners, "embedding": vector})
    return rows


def times_written(connection: sa.Connection) -> int:
    """How often rulings were written, taken back or changed state."""
    return int(connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == _WRITTEN)) or 0)


def count_writing(connection: sa.Connection) -> None:
    """Notes that rulings were written."""
    _put(connection, _WRITTEN, str(times_written(connection) + 1))


def faces_rewritten(connection: sa.Connection) -> int:
    """How often faces or the payload of rulings on record were written again."""
    return int(connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == _REWRITTEN)) or 0)


def count_rewriting(connection: sa.Connection) -> None:
    """Notes that faces or the payload of rulings on record were written again or removed."""
    _put(connection, _REWRITTEN, str(faces_rewritten(connection) + 1))


def model_of_rulings(connection: sa.Connection) -> str | None:
    """The model whose faces rulings are read by; None in a home that was never embedded anew."""
    return connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == _MODEL))


def note_model_of_rulings(connection: sa.Connection, model_id: str) -> None:
    """From now on rulings are read by the faces of this model."""
    _put(connection, _MODEL, model_id)


def _put(connection: sa.Connection, key: str, value: str) -> None:
    insert = insert_into(connection, t.meta)
    newer = insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded.value})
    connection.execute(newer, [{"key": key, "value": value}])


def _row(ruling: Ruling) -> dict[str, object]:
    values = {key: value for key, value in vars(ruling).items() if key not in ("faces", "names", "payload")}
    return {**values, "payload": json.dumps(dict(ruling.payload), sort_keys=True)}

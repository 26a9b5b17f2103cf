"""Rulings of a home that was embedded anew: by which model their faces are read, and the faces as it sees them."""

import json
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from facesets_dagster.identities.reanchoring import Reanchored
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import wait_for_turn
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruling_rows import (
    count_rewriting,
    count_writing,
    face_rows,
    model_of_rulings,
    note_model_of_rulings,
)
from facesets_dagster.registry.rulings import add_faces


def rulings_model(registry: Registry) -> str | None:
    """The model whose faces rulings are read by; None in a home that was never embedded again."""
    with registry.engine.connect() as connection:
        return model_of_rulings(connection)


def reanchor(registry: Registry, changes: Sequence[Reanchored], model_id: str) -> None:
    """Writes what was found again of rulings."""
    if changes:
        with registry.engine.begin() as connection:
            wait_for_turn(connection)
            write_reanchored(connection, changes, model_id)


def write_reanchored(connection: sa.Connection, changes: Iterable[Reanchored], model_id: str) -> None:
    """What becomes of rulings with another model, whose faces they are read by from now on."""
    for change in changes:
        add_faces(connection, change.ruling_id, change.new)
        for row in face_rows(change.ruling_id, change.same):
            this = [t.ruling_faces.c[name] == row[name] for name in ("ruling_id", "role", "face_id")]
            values = {name: value for name, value in row.items() if name not in ("ruling_id", "role", "place")}
            connection.execute(sa.update(t.ruling_faces).where(*this).values(**values))
        this_ruling = t.rulings.c.ruling_id == change.ruling_id
        payload = json.dumps(dict(change.payload), sort_keys=True)
        connection.execute(sa.update(t.rulings).where(this_ruling).values(payload=payload))
        obeyed = t.rulings.c.state.in_(["in_force", "dormant"])  # taken back meanwhile, it stays so
        if change.state in ("in_force", "dormant"):
            connection.execute(sa.update(t.rulings).where(this_ruling, obeyed).values(state=change.state))
    note_model_of_rulings(connection, model_id)
    count_rewriting(connection)
    count_writing(connection)

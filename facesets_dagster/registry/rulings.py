"""Rulings in the registry: written once, listed, taken back. SQL only; what they mean is `identities.projection`."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
import sqlalchemy as sa

from facesets_dagster.identities.reanchoring import of_model
from facesets_dagster.identities.rulings import UNDOABLE, Ruling, RulingFace
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import wait_for_turn
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruling_rows import (
    count_writing,
    face_rows,
    insert_rulings,
    model_of_rulings,
    now,
    times_written,
)
from facesets_dagster.registry.snapshot import in_batches

DecidedFace = tuple[str, str, str, float | None]
"""Bucket, face_id, state, value: what a funnel says of a face."""

Consistent = Callable[[Sequence[Ruling]], None]
"""Raises if these rulings in force, oldest first, contradict each other."""


def rulings_in_force(registry: Registry) -> tuple[Ruling, ...]:
    """Oldest first."""
    with registry.engine.connect() as connection:
        return _read(connection, t.rulings.c.state == "in_force")


def all_rulings(registry: Registry, *, of_all_models: bool = False) -> tuple[Ruling, ...]:
    """Every one that was ever written, oldest first; `of_all_models`: with its faces as each model saw them."""
    with registry.engine.connect() as connection:
        return _read(connection, of_all_models=of_all_models)


def rulings_by_bucket(registry: Registry) -> dict[str, list[str]]:
    """Bucket -> ids of the rulings in force that speak of its faces, in order."""
    faces, rulings = t.ruling_faces, t.rulings
    joined = faces.join(rulings, rulings.c.ruling_id == faces.c.ruling_id)
    query = sa.select(faces.c.bucket, rulings.c.ruling_id).select_from(joined)
    query = query.where(rulings.c.state == "in_force").distinct().order_by(faces.c.bucket, rulings.c.ruling_id)
    found: dict[str, list[str]] = {}
    with registry.engine.connect() as connection:
        for bucket, ruling_id in connection.execute(query):
            found.setdefault(bucket, []).append(ruling_id)
    return found


def rulings_of(registry: Registry, ids: Collection[str]) -> dict[str, Ruling]:
    """By id, those of these that exist."""
    found: list[Ruling] = []
    with registry.engine.connect() as connection:
        for some in in_batches(sorted(ids)):
            found += _read(connection, t.rulings.c.ruling_id.in_(some))
    return {ruling.ruling_id: ruling for ruling in found}


def rulings_written(registry: Registry) -> int:
    """How often rulings were written, taken back or changed state: 0 in a registry without any."""
    with registry.engine.connect() as connection:
        return times_written(connection)


def unpublished_rulings(registry: Registry) -> tuple[Ruling, ...]:
    """Those that the library does not obey yet, and those that it still obeys though they are taken back."""
    in_force = t.rulings.c.state == "in_force"
    with registry.engine.connect() as connection:
        return _read(connection, in_force != t.rulings.c.published)


def write_rulings(
    registry: Registry, rulings: Sequence[Ruling], consistent: Consistent, superseded: Callable[..., Collection[str]]
) -> tuple[Ruling, ...]:
    """Enters rulings, all or none, and gives them as they are on record; those that are there already stay as they are.

    `consistent` is called in the transaction with the rulings that would be in force; `superseded`: (one new ruling,
    those in force before it) -> ids that it takes the place of. Nobody else writes rulings meanwhile.
    """
    with registry.engine.begin() as connection:
        wait_for_turn(connection)
        known = {row[0] for row in connection.execute(sa.select(t.rulings.c.ruling_id))}
        new = [ruling for ruling in rulings if ruling.ruling_id not in known]
        if new:
            _enter(connection, new, consistent, superseded)
        return _read(connection, t.rulings.c.ruling_id.in_([ruling.ruling_id for ruling in rulings]))


def undo_rulings(registry: Registry, ids: Collection[str], undone_by: str, consistent: Consistent) -> tuple[str, ...]:
    """Takes rulings back; gives those that were in force, and those that come into force again in their place.

    Ids that are taken back already are left alone.
    """
    with registry.engine.begin() as connection:
        wait_for_turn(connection)
        live = t.rulings.c.state.in_(UNDOABLE)
        column, gone, back = t.rulings.c.ruling_id, list[str](), list[str]()
        for some in in_batches(sorted(set(ids))):
            gone += connection.scalars(sa.select(column).where(column.in_(some), live))
        values = {"state": "undone", "undone_at": now(), "undone_by": undone_by}
        for some in in_batches(gone):
            connection.execute(sa.update(t.rulings).where(column.in_(some)).values(**values))
        for some in in_batches(gone):
            again = t.rulings.c.superseded_by.in_(some) & (t.rulings.c.state == "superseded")
            back += connection.scalars(sa.select(column).where(again))
        freed = {"state": "in_force", "superseded_by": None}
        for some in in_batches(back):
            connection.execute(sa.update(t.rulings).where(column.in_(some)).values(**freed))
        if gone:
            consistent(_read(connection, t.rulings.c.state == "in_force"))
            count_writing(connection)
        return (*gone, *back)


def add_faces(connection: sa.Connection, ruling_id: str, faces: Iterable[RulingFace]) -> None:
    """Adds faces to a ruling: the same faces as another model sees them."""
    last = sa.select(sa.func.max(t.ruling_faces.c.place)).where(t.ruling_faces.c.ruling_id == ruling_id)
    start = connection.scalar(last)
    rows = face_rows(ruling_id, faces, first=0 if start is None else int(start) + 1)
    if rows:
        connection.execute(sa.insert(t.ruling_faces), rows)


def incomplete_faces(registry: Registry) -> dict[str, dict[str, str]]:
    """Bucket -> face_id -> role of faces of which an older release kept only the name; {} once they are completed."""
    table = t.ruling_faces
    query = sa.select(table.c.bucket, table.c.face_id, table.c.role).where(table.c.photo_width == 0)
    found: dict[str, dict[str, str]] = {}
    with registry.engine.connect() as connection:
        for bucket, face_id, role in connection.execute(query):
            found.setdefault(bucket, {})[face_id] = role
    return found


def complete_faces(registry: Registry, faces: Iterable[RulingFace]) -> None:
    """Enters photo, box and vector of faces of which only the name is on record."""
    table = t.ruling_faces
    with registry.engine.begin() as connection:
        for row in face_rows("", faces):
            this = (table.c.photo_width == 0, table.c.bucket == row["bucket"], table.c.face_id == row["face_id"])
            known = {key: value for key, value in row.items() if key not in ("ruling_id", "place", "role")}
            connection.execute(sa.update(table).where(*this).values(**known))
        count_writing(connection)


def note_published(connection: sa.Connection, in_force: Collection[str]) -> None:
    """The library obeys these rulings and no others."""
    connection.execute(sa.update(t.rulings).where(t.rulings.c.published).values(published=False))
    for some in in_batches(sorted(in_force)):
        connection.execute(sa.update(t.rulings).where(t.rulings.c.ruling_id.in_(some)).values(published=True))


def buckets_decided_by(registry: Registry, ids: Collection[str]) -> set[str]:
    """Buckets with faces that ended by one of these rulings."""
    found: set[str] = set()
    with registry.engine.connect() as connection:
        for some in in_batches(sorted(ids)):
            query = sa.select(t.decisions.c.bucket).where(t.decisions.c.ruling.in_(some)).distinct()
            found.update(connection.scalars(query))
    return found


def faces_decided_by(registry: Registry, ruling_id: str) -> list[DecidedFace]:
    """Faces of the funnels that ended by this ruling, by bucket and face."""
    columns = [t.decisions.c[name] for name in ("bucket", "face_id", "state", "value")]
    query = sa.select(*columns).where(t.decisions.c.ruling == ruling_id).order_by(*columns[:2])
    with registry.engine.connect() as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def swallowed(registry: Registry) -> dict[str, int]:
    """Ruling -> faces that it does not name and that ended as `ignored` by it."""
    table = t.decisions
    by_reach = (table.c.state == "ignored") & table.c.value.is_not(None) & table.c.ruling.is_not(None)
    query = sa.select(table.c.ruling, sa.func.count()).where(by_reach).group_by(table.c.ruling)
    with registry.engine.connect() as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _enter(
    connection: sa.Connection,
    new: Sequence[Ruling],
    consistent: Consistent,
    superseded: Callable[..., Collection[str]],
) -> None:
    in_force = list(_read(connection, t.rulings.c.state == "in_force"))
    for ruling in insert_rulings(connection, new):
        if ruling.state != "in_force":
            continue
        gone = superseded(ruling, in_force)
        for some in in_batches(sorted(gone)):
            values = {"state": "superseded", "superseded_by": ruling.ruling_id}
            connection.execute(sa.update(t.rulings).where(t.rulings.c.ruling_id.in_(some)).values(**values))
        in_force = [one for one in in_force if one.ruling_id not in gone] if gone else in_force
        in_force.append(ruling)
    consistent(in_force)


def _read(connection: sa.Connection, *where: sa.ColumnElement[bool], of_all_models: bool = False) -> tuple[Ruling, ...]:
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

"""Rulings in the registry: written once, listed, taken back. SQL only; what they mean is `identities.projection`."""

from collections.abc import Callable, Collection, Iterable, Sequence

import sqlalchemy as sa

from facesets_dagster.identities.rulings import UNDOABLE, Ruling, RulingFace
from facesets_dagster.identities.superseding import freed_by_undoing, superseded_by
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import wait_for_turn
from facesets_dagster.registry.read_rulings import read_rulings
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruling_rows import (
    count_rewriting,
    count_writing,
    face_rows,
    insert_rulings,
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
    return tuple(ruling for ruling in _known(registry) if ruling.state == "in_force")


def all_rulings(registry: Registry, *, of_all_models: bool = False) -> tuple[Ruling, ...]:
    """Every one that was ever written, oldest first; `of_all_models`: with its faces as each model saw them."""
    if not of_all_models:
        return _known(registry)
    with registry.engine.connect() as connection:
        return read_rulings(connection, of_all_models=True)


def rulings_by_bucket(registry: Registry, ids: Collection[str] | None = None) -> dict[str, list[str]]:
    """Bucket -> ids of the rulings that speak of its faces, in order: of those in force, or of these."""
    faces, rulings = t.ruling_faces, t.rulings
    joined = faces.join(rulings, rulings.c.ruling_id == faces.c.ruling_id)
    query = sa.select(faces.c.bucket, rulings.c.ruling_id).select_from(joined)
    if ids is None:
        query = query.where(rulings.c.state == "in_force")
    query = query.distinct().order_by(faces.c.bucket, rulings.c.ruling_id)
    found: dict[str, list[str]] = {}
    with registry.engine.connect() as connection:
        for bucket, ruling_id in connection.execute(query):
            if ids is None or ruling_id in ids:
                found.setdefault(bucket, []).append(ruling_id)
    return found


def rulings_of(registry: Registry, ids: Collection[str]) -> dict[str, Ruling]:
    """By id, those of these that exist."""
    wanted = set(ids)
    return {ruling.ruling_id: ruling for ruling in _known(registry) if ruling.ruling_id in wanted} if wanted else {}


def rulings_written(registry: Registry) -> int:
    """How often rulings were written, taken back or changed state: 0 in a registry without any."""
    with registry.engine.connect() as connection:
        return times_written(connection)


def unpublished_rulings(registry: Registry) -> tuple[Ruling, ...]:
    """Those that the library does not obey yet, and those that it still obeys though they are taken back."""
    return tuple(ruling for ruling in _known(registry) if (ruling.state == "in_force") != ruling.published)


def write_rulings(registry: Registry, rulings: Sequence[Ruling], consistent: Consistent) -> tuple[Ruling, ...]:
    """Enters rulings, all or none, and gives them as they are on record; those that are there already stay as they are.

    `consistent` is called in the transaction with the rulings that would be in force. Nobody else writes rulings
    meanwhile.
    """
    with registry.engine.begin() as connection:
        wait_for_turn(connection)
        before = registry.rulings.all(connection)
        known = {ruling.ruling_id for ruling in before}
        new = [ruling for ruling in rulings if ruling.ruling_id not in known]
        if new:
            _enter(connection, new, [one for one in before if one.state == "in_force"], consistent)
        return read_rulings(connection, t.rulings.c.ruling_id.in_([ruling.ruling_id for ruling in rulings]))


def undo_rulings(registry: Registry, ids: Collection[str], undone_by: str, consistent: Consistent) -> tuple[str, ...]:
    """Takes rulings back; gives those that were in force, and those that come into force again in their place.

    Ids that are taken back already are left alone.
    """
    with registry.engine.begin() as connection:
        wait_for_turn(connection)
        known, these = registry.rulings.all(connection), set(ids)
        gone = {one.ruling_id for one in known if one.ruling_id in these and one.state in UNDOABLE}
        freed = freed_by_undoing([one for one in known if one.state in ("in_force", "superseded")], gone)
        back = {ruling_id for ruling_id, later in freed.items() if later is None}
        values = {"state": "undone", "undone_at": now(), "undone_by": undone_by}
        again = {"state": "in_force", "superseded_by": None}
        for changed, row in ((gone, values), (back, again)):
            for some in in_batches(sorted(changed)):
                connection.execute(sa.update(t.rulings).where(t.rulings.c.ruling_id.in_(some)).values(**row))
        for ruling_id, later in sorted((one, later) for one, later in freed.items() if later is not None):
            this = sa.update(t.rulings).where(t.rulings.c.ruling_id == ruling_id)
            connection.execute(this.values(superseded_by=later))
        if gone:
            in_force = {one.ruling_id for one in known if one.state == "in_force"} - gone | back
            consistent([one for one in known if one.ruling_id in in_force])
            count_writing(connection)
        ordered = [one.ruling_id for one in known]
        return tuple(one for changed in (gone, back) for one in ordered if one in changed)


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
        count_rewriting(connection)
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


def _known(registry: Registry) -> tuple[Ruling, ...]:
    with registry.engine.connect() as connection:
        return registry.rulings.all(connection)


def _enter(
    connection: sa.Connection,
    new: Sequence[Ruling],
    in_force: list[Ruling],
    consistent: Consistent,
) -> None:
    for ruling in insert_rulings(connection, new):
        if ruling.state != "in_force":
            continue
        gone = superseded_by(ruling, in_force)
        for some in in_batches(sorted(gone)):
            values = {"state": "superseded", "superseded_by": ruling.ruling_id}
            connection.execute(sa.update(t.rulings).where(t.rulings.c.ruling_id.in_(some)).values(**values))
        in_force = [one for one in in_force if one.ruling_id not in gone] if gone else in_force
        in_force.append(ruling)
    consistent(in_force)

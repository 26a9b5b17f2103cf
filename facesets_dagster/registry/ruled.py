"""Identities that rulings touch: their members without rulings, how they stood before, folders that are kept of them.

The statements here are part of a publication's transaction; nothing here opens one for writing.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows, is_marked, whose
from facesets_dagster.identities.projection import RuledFace
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.snapshot import in_batches

Decision = tuple[str, str, str, float | None, float | None, str | None]
"""Bucket, face_id, state, value, threshold, identity: what a funnel says of a face."""

Place = tuple[str, str]
"""Bucket, face_id."""


@dataclass(frozen=True)
class KeptEntry:
    """An entry of the top-level manifest whose faceset rulings touch."""

    first: str
    """Its very text before the first ruling."""
    last: str
    """Its very text when it was last listed."""
    section: str
    """`facesets` or `thin_eras`."""
    before: frozenset[str]
    """Names that stood before it; those that were out of use by then count at their places."""


@dataclass(frozen=True)
class StoodBefore:
    """How an identity stood when a ruling first touched it."""

    name: str
    run_id: str
    """Of the identity's row."""
    label: str | None
    unpublished: tuple[Decision, ...] | None
    """None for an identity with a folder here; of a legacy one without, what was decided of its members."""
    members_digest: str | None
    """Of an unpublished one: of its members then."""
    centroid: bytes | None
    entry: KeptEntry | None
    """As it stood in the top-level manifest; None if it did not."""


@dataclass(frozen=True)
class Made:
    """An identity that a split made."""

    ruling_id: str
    part: str
    name: str


@dataclass(frozen=True)
class RunOf:
    """Which run made a face a member, for rows that are written again."""

    run_id: str
    """The run that writes now."""
    known: Mapping[tuple[str, str, str, str], str]
    """Name, bucket, face_id, how it joined -> run of a membership that stood before."""

    def rows(self, name: str, rows: Rows) -> list[tuple[str, str, str, str, str]]:
        """The rows of an identity, in the order of `_ROW`."""
        found = []
        for face_id, (bucket, how) in rows.items():
            run = self.known.get((name, bucket, face_id, how), self.run_id)
            found.append((name, bucket, face_id, how, run))
        return found


_ROW = ("name", "bucket", "face_id", "joined_by", "run_id")


def runs_of_members(registry: Registry, names: Collection[str], run_id: str) -> RunOf:
    """The runs of all memberships of these identities, with rulings and without."""
    known: dict[tuple[str, str, str, str], str] = {}
    with registry.engine.connect() as connection:
        for table in (t.members, t.unruled_members):
            columns = [table.c[name] for name in _ROW]
            for some in in_batches(sorted(names)):
                for *row, run in connection.execute(sa.select(*columns).where(table.c.name.in_(some))):
                    known.setdefault((row[0], row[1], row[2], row[3]), run)
    return RunOf(run_id, known)


def members_digest(rows: Rows) -> str:
    """Equal digests mean the same members."""
    found = sorted((face, *row) for face, row in rows.items())
    return hashlib.sha256(json.dumps(found, separators=(",", ":")).encode()).hexdigest()


def touched_identities(registry: Registry) -> set[str]:
    """Names that the rulings, as far as the library is brought up to them, have a hand in."""
    query = sa.select(t.ruled_identities.c.name).where(t.ruled_identities.c.touched)
    with registry.engine.connect() as connection:
        return set(connection.scalars(query))


def made_by_splits(registry: Registry) -> list[Made]:
    """Every identity that a split ever made, whether or not it is undone."""
    table = t.ruled_identities
    query = sa.select(table).where(table.c.made_by.is_not(None)).order_by(table.c.name)
    with registry.engine.connect() as connection:
        return [Made(row.made_by, row.part, row.name) for row in connection.execute(query)]


def names_of_parts(made: Iterable[Made]) -> dict[tuple[str, str], str]:
    """Ruling and part of a split -> name of the identity that it made."""
    return {(one.ruling_id, one.part): one.name for one in made}


def unruled_members(registry: Registry) -> dict[str, Rows]:
    """Touched identity -> its members as runs alone would have them."""
    table = t.unruled_members
    query = sa.select(table.c.name, table.c.bucket, table.c.face_id, table.c.joined_by)
    found: dict[str, Rows] = {}
    with registry.engine.connect() as connection:
        for name, bucket, face_id, how in connection.execute(query.order_by(table.c.name, table.c.face_id)):
            found.setdefault(name, {})[face_id] = (bucket, how)
    return found


def stood_before(registry: Registry, names: Collection[str] | None = None) -> dict[str, StoodBefore]:
    """By name, all or of these."""
    query = sa.select(t.stood_before)
    if names is not None:
        query = query.where(t.stood_before.c.name.in_(sorted(names)))
    with registry.engine.connect() as connection:
        return {row["name"]: _record(row) for row in connection.execute(query).mappings()}


def kept_folders(registry: Registry) -> set[tuple[str, str]]:
    """(name, sha256 of the manifest) of every folder that must be kept."""
    with registry.engine.connect() as connection:
        rows = connection.execute(sa.select(t.kept_folders.c.name, t.kept_folders.c.manifest_sha256))
        return {(row.name, row.manifest_sha256) for row in rows}


def run_ids(registry: Registry) -> dict[str, str]:
    """Name -> run of the identity's row."""
    query = sa.select(t.identities.c.name, t.identities.c.run_id)
    with registry.engine.connect() as connection:
        return {row.name: row.run_id for row in connection.execute(query)}


def decisions_of(registry: Registry, rows: Rows) -> tuple[Decision, ...]:
    """What the funnels say of these members, by bucket and face."""
    columns = [t.decisions.c[name] for name in ("bucket", "face_id", "state", "value", "threshold", "identity")]
    wanted = {(bucket, face_id) for face_id, (bucket, _) in rows.items()}
    buckets = sorted({bucket for bucket, _ in wanted})
    query = sa.select(*columns).where(t.decisions.c.bucket.in_(buckets)).order_by(*columns[:2])
    with registry.engine.connect() as connection:
        found = [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in connection.execute(query)]
    return tuple(decision for decision in found if decision[:2] in wanted)


def write_touched(connection: sa.Connection, touched: Collection[str], made: Iterable[Made]) -> None:
    """Makes these the identities that rulings touch; one that a split made stays on record for good."""
    table = t.ruled_identities
    connection.execute(sa.delete(table).where(table.c.made_by.is_(None)))
    connection.execute(sa.update(table).values(touched=False))
    of_splits = {one.name: one for one in made}
    for name in sorted({*touched, *of_splits}):
        one = of_splits.get(name)
        connection.execute(sa.delete(table).where(table.c.name == name))
        row = {"made_by": one.ruling_id if one else None, "part": one.part if one else None}
        connection.execute(sa.insert(table).values(name=name, touched=name in touched, **row))


def write_unruled(connection: sa.Connection, base: Mapping[str, Rows], runs: RunOf) -> None:
    """Makes these the members without rulings, of all touched identities."""
    table = t.unruled_members
    found = {tuple(row) for row in connection.execute(sa.select(*(table.c[name] for name in _ROW)))}
    wanted = {row for name, rows in base.items() for row in runs.rows(name, rows)}
    _delete(connection, [(name, bucket, face) for name, bucket, face, *_ in sorted(found - wanted)])
    new = [dict(zip(_ROW, row, strict=True)) for row in sorted(wanted - found)]
    if new:
        connection.execute(sa.insert(table), new)


def note_growth(
    connection: sa.Connection, name: str, joined: Mapping[Place, str], left: Collection[Place], run_id: str
) -> None:
    """A run gave a touched identity these members, (bucket, face_id) -> how, and took others: so would it without
    rulings. A face that joined for an identity that is merged into it is that one's.
    """
    table = t.unruled_members
    for bucket, face in sorted(left):
        connection.execute(sa.delete(table).where(table.c.bucket == bucket, table.c.face_id == face))
    for (bucket, face), how in sorted(joined.items()):
        own = "hand_sorted" if is_marked(how) else how
        place = {"name": whose(how, name), "bucket": bucket, "face_id": face}
        _delete(connection, [(place["name"], bucket, face)])
        connection.execute(sa.insert(table).values(**place, joined_by=own, run_id=run_id))


def touched_among(connection: sa.Connection, names: Collection[str]) -> set[str]:
    """Those of these names that rulings touch, as the transaction has it."""
    table, found = t.ruled_identities, set[str]()
    if connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.touched)):
        for some in in_batches(sorted(names)):
            found.update(connection.scalars(sa.select(table.c.name).where(table.c.touched, table.c.name.in_(some))))
    return found


def write_members(connection: sa.Connection, name: str, rows: Rows, runs: RunOf) -> None:
    """Makes these the members of an identity; rows that stand stay as they are."""
    table = t.members
    query = sa.select(*(table.c[column] for column in _ROW)).where(table.c.name == name)
    found = {tuple(row) for row in connection.execute(query)}
    wanted = set(runs.rows(name, rows))
    for _, bucket, face_id, *_ in sorted(found - wanted):
        this = (table.c.name == name, table.c.bucket == bucket, table.c.face_id == face_id)
        connection.execute(sa.delete(table).where(*this))
    new = [dict(zip(_ROW, row, strict=True)) for row in sorted(wanted - found)]
    if new:
        connection.execute(sa.insert(table), new)


def write_tombstone(connection: sa.Connection, name: str, reason: str, into: str | None) -> None:
    """What the tombstone of an identity says."""
    this = sa.update(t.tombstones).where(t.tombstones.c.name == name)
    connection.execute(this.values(reason=reason, merged_into=into))


def write_never_in_use(connection: sa.Connection, identity: Identity, run_id: str) -> None:
    """Somebody whom a split makes and of whom nothing can be exported: the name is taken, and out of use."""
    generation = sa.select(sa.cast(t.meta.c.value, sa.Integer)).where(t.meta.c.key == "generation").scalar_subquery()
    row = {"name": identity.name, "number": identity.number, "run_id": run_id}
    connection.execute(sa.insert(t.numbers).values(**row))
    more = {"kind": identity.kind, "bucket": identity.bucket, "live": False, "founded": generation}
    connection.execute(sa.insert(t.identities).values(**row, **more))


def write_label(connection: sa.Connection, name: str, label: str | None) -> None:
    """The label of an identity, where it is another one."""
    this = (t.identities.c.name == name, t.identities.c.label.is_distinct_from(label))
    connection.execute(sa.update(t.identities).where(*this).values(label=label))


def write_record(connection: sa.Connection, record: StoodBefore) -> None:
    """Enters or replaces a record."""
    unpublished = None
    if record.unpublished is not None:
        unpublished = json.dumps({"members": record.members_digest, "decisions": record.unpublished})
    entry = record.entry
    connection.execute(sa.delete(t.stood_before).where(t.stood_before.c.name == record.name))
    connection.execute(
        sa.insert(t.stood_before).values(
            name=record.name,
            run_id=record.run_id,
            label=record.label,
            unpublished=unpublished,
            centroid=record.centroid,
            entry=entry.first if entry else None,
            listed=entry.last if entry else None,
            section=entry.section if entry else None,
            before=json.dumps(sorted(entry.before)) if entry else None,
        )
    )


def drop_records(connection: sa.Connection, names: Iterable[str]) -> None:
    """Identities that no ruling touches any more."""
    for name in sorted(names):
        connection.execute(sa.delete(t.stood_before).where(t.stood_before.c.name == name))


def write_kept(
    connection: sa.Connection, added: Collection[tuple[str, str]], forget: Collection[tuple[str, str]]
) -> None:
    """Enters folders that are kept from now on, and takes out those that are not needed any more."""
    table = t.kept_folders
    for name, digest in sorted({*added, *forget}):
        connection.execute(sa.delete(table).where(table.c.name == name, table.c.manifest_sha256 == digest))
    for name, digest in sorted(added):
        connection.execute(sa.insert(table).values(name=name, manifest_sha256=digest))


def write_ruled_faces(connection: sa.Connection, faces: Mapping[Place, RuledFace]) -> None:
    """How faces end that rulings took from everybody."""
    for (bucket, face_id), face in sorted(faces.items()):
        this = (t.decisions.c.bucket == bucket, t.decisions.c.face_id == face_id)
        values = {"state": face.state, "value": None, "threshold": None, "identity": face.identity}
        connection.execute(sa.update(t.decisions).where(*this).values(**values, ruling=face.ruling_id))


def write_stale(connection: sa.Connection, buckets: Iterable[str]) -> None:
    """The library is up to no state of these buckets: each is to be run again."""
    these = sorted(buckets)
    for table in (t.bucket_folders, t.bucket_extensions):
        connection.execute(sa.delete(table).where(table.c.bucket.in_(these)))
    if these:
        connection.execute(sa.insert(t.bucket_folders), [{"bucket": one, "folder_digest": ""} for one in these])


def is_live(connection: sa.Connection, name: str) -> bool:
    """As the transaction has it."""
    return bool(connection.scalar(sa.select(t.identities.c.live).where(t.identities.c.name == name)))


def restore_row(connection: sa.Connection, name: str, **values: object) -> None:
    """The row of an identity as it was, and no tombstone."""
    connection.execute(sa.update(t.identities).where(t.identities.c.name == name).values(live=True, **values))
    connection.execute(sa.delete(t.tombstones).where(t.tombstones.c.name == name))


def restore_decisions(
    connection: sa.Connection, name: str, rows: Rows, recorded: Collection[Decision], run_buckets: Collection[str]
) -> None:
    """What the funnels said of the members of an unpublished identity.

    Where nothing was said before, its members are covered by it in buckets that were run, and unknown in the others.
    """
    said: Mapping[Place, Decision] = {(entry[0], entry[1]): entry for entry in recorded}
    for face_id, (bucket, _) in rows.items():
        this = sa.and_(t.decisions.c.bucket == bucket, t.decisions.c.face_id == face_id)
        if (bucket, face_id) in said:
            _, _, state, value, threshold, identity = said[bucket, face_id]
        elif bucket in run_buckets:
            state, value, threshold, identity = "covered", None, None, name
        else:
            connection.execute(sa.delete(t.decisions).where(this))
            continue
        values = {"state": state, "value": value, "threshold": threshold, "identity": identity}
        connection.execute(sa.update(t.decisions).where(this).values(**values))


def _delete(connection: sa.Connection, places: Iterable[tuple[str, str, str]]) -> None:
    table = t.unruled_members
    for name, bucket, face in places:
        this = (table.c.name == name, table.c.bucket == bucket, table.c.face_id == face)
        connection.execute(sa.delete(table).where(*this))


def _record(row: sa.RowMapping) -> StoodBefore:
    unpublished = json.loads(row["unpublished"]) if row["unpublished"] is not None else None
    entry = None
    if row["entry"] is not None:
        before = frozenset(json.loads(row["before"]))
        entry = KeptEntry(first=row["entry"], last=row["listed"], section=row["section"], before=before)
    return StoodBefore(
        name=row["name"],
        run_id=row["run_id"],
        label=row["label"],
        unpublished=None if unpublished is None else tuple(tuple(entry) for entry in unpublished["decisions"]),
        members_digest=None if unpublished is None else unpublished["members"],
        centroid=row["centroid"],
        entry=entry,
    )

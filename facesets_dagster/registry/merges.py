"""What the registry knows of merges: reading, and the statements that one merge or undo adds to its transaction.

`publishing.merges.planner` decides what they say. Nothing here opens a transaction for writing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from facesets_dagster.identities.merging import Household, Merge, Rows
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry

REASON = "merged"
"""Of the tombstone of a merged identity and of its eras."""

Decision = tuple[str, str, str, float | None, float | None, str | None]
"""Bucket, face_id, state, value, threshold, identity: what a funnel says of a face."""


@dataclass(frozen=True)
class KeptEntry:
    """An entry of the top-level manifest whose faceset takes part in a merge."""

    first: str
    """Its very text before the first merge."""
    last: str
    """Its very text when it was last listed."""
    section: str
    """`facesets` or `thin_eras`."""
    before: frozenset[str]
    """Names that stood before it; those that were merged by then count at their places."""


@dataclass(frozen=True)
class MergeRecord:
    """How an identity stood when it was first merged or merged into, since it last stood alone."""

    name: str
    run_id: str
    """Of the identity's row."""
    label_given: str | None
    """The label that it took from one that was merged into it."""
    unpublished: tuple[Decision, ...] | None
    """None for an identity with a folder here; of a legacy one without, what was decided of its members."""
    members_digest: str | None
    """Of an unpublished one: of its members then."""
    centroid: bytes | None
    entry: KeptEntry | None
    """As it stood in the top-level manifest; None if it did not."""


def redirects(registry: Registry) -> dict[str, str]:
    """Merged name -> the identity that it leads to, chains followed to their end. An era leads to a person."""
    return dict(registry.snapshot().redirects)


def household(registry: Registry) -> Household:
    """Everybody's members, and the merges that are in force."""
    members: dict[str, Rows] = {}
    for name, bucket, face_id, how in registry.memberships().iter_rows():
        members.setdefault(name, {})[face_id] = (bucket, how)
    return Household({name: dict(sorted(rows.items())) for name, rows in members.items()}, merges_in_force(registry))


def merges_in_force(registry: Registry) -> tuple[Merge, ...]:
    """Oldest first."""
    query = sa.select(t.merges.c.merged, t.merges.c.keeper).where(t.merges.c.undone_by.is_(None))
    with registry.engine.connect() as connection:
        return tuple(Merge(row.merged, row.keeper) for row in connection.execute(query.order_by(t.merges.c.merge_id)))


def merged_once(registry: Registry) -> set[str]:
    """Names that were ever merged, whether or not it was undone."""
    with registry.engine.connect() as connection:
        return set(connection.scalars(sa.select(t.merges.c.merged)))


def rejected_pairs(registry: Registry) -> set[tuple[str, str]]:
    """Pairs that are two people, each in order."""
    with registry.engine.connect() as connection:
        rows = connection.execute(sa.select(t.rejected_merges.c.first, t.rejected_merges.c.second))
        return {(row.first, row.second) for row in rows}


def merge_records(registry: Registry, names: Collection[str] | None = None) -> dict[str, MergeRecord]:
    """By name, all or of these; also of those that stand alone again."""
    query = sa.select(t.merge_records)
    if names is not None:
        query = query.where(t.merge_records.c.name.in_(sorted(names)))
    with registry.engine.connect() as connection:
        return {row["name"]: _record(row) for row in connection.execute(query).mappings()}


def archived_digests(registry: Registry) -> set[tuple[str, str]]:
    """(name, sha256 of the manifest) of every folder that must lie in the archive."""
    with registry.engine.connect() as connection:
        rows = connection.execute(sa.select(t.merge_archives.c.name, t.merge_archives.c.manifest_sha256))
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


def write_merges(connection: sa.Connection, before: Sequence[Merge], after: Sequence[Merge], run_id: str) -> None:
    """New ones are entered, those that are gone are marked undone."""
    for merge in after:
        if merge not in before:
            connection.execute(sa.insert(t.merges).values(merged=merge.merged, keeper=merge.keeper, run_id=run_id))
    for merge in before:
        if merge in after:
            continue
        this = (t.merges.c.merged == merge.merged, t.merges.c.undone_by.is_(None))
        connection.execute(sa.update(t.merges).where(*this).values(undone_by=run_id))


def write_members(connection: sa.Connection, name: str, rows: Rows, run_id: str) -> None:
    """Makes these the members of an identity; rows that stand stay as they are."""
    table = t.members
    columns = (table.c.bucket, table.c.face_id, table.c.joined_by)
    found = {tuple(row) for row in connection.execute(sa.select(*columns).where(table.c.name == name))}
    wanted = {(bucket, face_id, how) for face_id, (bucket, how) in rows.items()}
    for bucket, face_id, _ in sorted(found - wanted):
        this = (table.c.name == name, table.c.bucket == bucket, table.c.face_id == face_id)
        connection.execute(sa.delete(table).where(*this))
    new = [
        {"name": name, "bucket": bucket, "face_id": face_id, "joined_by": how, "run_id": run_id}
        for bucket, face_id, how in sorted(wanted - found)
    ]
    if new:
        connection.execute(sa.insert(table), new)


def write_redirect(connection: sa.Connection, name: str, keeper: str) -> None:
    """The tombstone of `name` says who has its people now."""
    this = sa.update(t.tombstones).where(t.tombstones.c.name == name)
    connection.execute(this.values(reason=REASON, merged_into=keeper))


def write_vanished(connection: sa.Connection, name: str) -> None:
    """The tombstone of `name` leads nowhere: nothing of it is left."""
    this = sa.update(t.tombstones).where(t.tombstones.c.name == name)
    connection.execute(this.values(reason="vanished", merged_into=None))


def write_label(connection: sa.Connection, name: str, label: str | None, given: str | None) -> None:
    """The label of an identity, and whether a merge gave it."""
    connection.execute(sa.update(t.identities).where(t.identities.c.name == name).values(label=label))
    connection.execute(sa.update(t.merge_records).where(t.merge_records.c.name == name).values(label_given=given))


def write_record(connection: sa.Connection, record: MergeRecord) -> None:
    """Enters or replaces a record."""
    unpublished = None
    if record.unpublished is not None:
        unpublished = json.dumps({"members": record.members_digest, "decisions": record.unpublished})
    entry = record.entry
    connection.execute(sa.delete(t.merge_records).where(t.merge_records.c.name == record.name))
    connection.execute(
        sa.insert(t.merge_records).values(
            name=record.name,
            run_id=record.run_id,
            label_given=record.label_given,
            unpublished=unpublished,
            centroid=record.centroid,
            entry=entry.first if entry else None,
            listed=entry.last if entry else None,
            section=entry.section if entry else None,
            before=json.dumps(sorted(entry.before)) if entry else None,
        )
    )


def write_archives(
    connection: sa.Connection, added: Collection[tuple[str, str]], forget: Collection[tuple[str, str]]
) -> None:
    """Enters folders that are kept from now on, and takes out those that are not needed any more."""
    table = t.merge_archives
    for name, digest in sorted({*added, *forget}):
        connection.execute(sa.delete(table).where(table.c.name == name, table.c.manifest_sha256 == digest))
    for name, digest in sorted(added):
        connection.execute(sa.insert(table).values(name=name, manifest_sha256=digest))


def write_rejected(
    connection: sa.Connection, add: Collection[tuple[str, str]], take_back: Collection[tuple[str, str]], run_id: str
) -> None:
    """Pairs in order."""
    table = t.rejected_merges
    for first, second in sorted({*add, *take_back}):
        connection.execute(sa.delete(table).where(table.c.first == first, table.c.second == second))
        if (first, second) in add:
            connection.execute(sa.insert(table).values(first=first, second=second, run_id=run_id))


def is_live(connection: sa.Connection, name: str) -> bool:
    """As the transaction has it."""
    return bool(connection.scalar(sa.select(t.identities.c.live).where(t.identities.c.name == name)))


def labels(connection: sa.Connection) -> dict[str, str | None]:
    """Name -> its own label, as the transaction has it."""
    rows = connection.execute(sa.select(t.identities.c.name, t.identities.c.label))
    return {row.name: row.label for row in rows}


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
    said: Mapping[tuple[str, str], Decision] = {(entry[0], entry[1]): entry for entry in recorded}
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


def _record(row: sa.RowMapping) -> MergeRecord:
    unpublished = json.loads(row["unpublished"]) if row["unpublished"] is not None else None
    entry = None
    if row["entry"] is not None:
        before = frozenset(json.loads(row["before"]))
        entry = KeptEntry(first=row["entry"], last=row["listed"], section=row["section"], before=before)
    return MergeRecord(
        name=row["name"],
        run_id=row["run_id"],
        label_given=row["label_given"],
        unpublished=None if unpublished is None else tuple(tuple(entry) for entry in unpublished["decisions"]),
        members_digest=None if unpublished is None else unpublished["members"],
        centroid=row["centroid"],
        entry=entry,
    )

"""The one transaction in which a publication becomes true. Called under the library's lock."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
import sqlalchemy as sa

from facesets_dagster.errors import PublishRefused
from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.identities.eras import Anchor
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.identity import ERA_KINDS, Identity
from facesets_dagster.library.moves import Move
from facesets_dagster.publishing.gallery import Terms
from facesets_dagster.publishing.run import RunStamp
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import insert_into
from facesets_dagster.registry.joins import replace_joins
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruled import Place, note_growth, touched_among
from facesets_dagster.registry.schema import next_generation
from facesets_dagster.registry.snapshot import in_batches


@dataclass(frozen=True)
class Wanted:
    """An identity as it should stand."""

    members: Mapping[str, str]
    """face_id -> how it joined."""
    terms: Terms
    identity: Identity | None = None
    """None for a new one."""
    name: str | None = None
    """Of a new one: None takes the next number."""
    number: int | None = None
    parent: str | None = None
    label: str | None = None
    """Of a new identity; the label of one that exists is its owner's."""
    anchor: Anchor | None = None
    """Of a new era."""

    def whose(self) -> str | None:
        """The identity that has its faces as members: itself, for a new era the parent; None if it has no name yet."""
        return self.identity.name if self.identity else self.parent or self.name


@dataclass(frozen=True)
class PublishedIdentity:
    """An identity as it stands after the publication; its kind and bucket are the content's."""

    name: str
    number: int
    wanted: Wanted
    content: FacesetContent
    manifest_sha256: str | None
    """Of the staged manifest; None if the faceset in place stays as it is."""
    shown: FacesetContent
    """What its folder holds: the content without what the home's policy withholds."""


@dataclass(frozen=True)
class BucketRecord:
    """The bucket whose funnel this publication replaces."""

    bucket: str
    inputs_digest: str
    identity_parameters: Mapping[str, object]
    funnel: pl.DataFrame
    joins: pl.DataFrame | None = None
    """Those on record from now on (`JOIN_SCHEMA`); None: they stay as they are."""


def commit(
    registry: Registry,
    stamp: RunStamp,
    published: Sequence[PublishedIdentity],
    retire: Sequence[Identity],
    moves: Sequence[Move],
    records: Sequence[BucketRecord],
    also: Callable[[sa.Connection], None] | None,
    *,
    follows: int,
) -> None:
    """Writes everything of one publication or nothing.

    `records`: of the buckets whose funnel it replaces, none of one that only extends; `also`: what else becomes true;
    `follows`: generation that was read under the lock. Raises `PublishRefused` if it is not the last one any more: the
    lock did not hold.
    """
    with registry.engine.begin() as connection:
        generation = next_generation(connection)
        if generation != follows + 1:
            raise PublishRefused(
                f"The library was published by another process while this run held its lock: generation {follows} was "
                f"read, {generation - 1} is there. Either the folder lies on a file system that does not carry locks "
                "between machines, or the connection to the registry's server was lost meanwhile. Nothing was changed; "
                "run again."
            )
        left: list[tuple[str, str]] = []
        touched = touched_among(connection, [identity.name for identity in published])
        for identity in published:
            gone, joined = _write_identity(connection, identity, stamp, generation)
            shown = identity.wanted.identity is not None and identity.wanted.identity.live
            left += gone if shown and identity.content.kind not in ERA_KINDS else []
            if identity.name in touched:
                note_growth(connection, identity.name, joined, gone, stamp.run_id)
        for vanished in retire:
            left += [] if vanished.is_era else _places(connection, vanished.name)
            _retire(connection, vanished, stamp.run_id)
        for record in records:
            _write_bucket(connection, stamp, record)
        settled = [record.bucket for record in records]
        _write_who_left(connection, [place for place in left if place[0] not in settled])
        for identity in published:
            _write_decisions_elsewhere(connection, identity, settled)
        if moves:
            rows = [{"step": step, **asdict(move)} for step, move in enumerate(moves, start=1)]
            connection.execute(sa.insert(t.pending_moves), rows)
        if also is not None:
            also(connection)
        _write_withheld(connection, published)


def _write_identity(
    connection: sa.Connection, entry: PublishedIdentity, stamp: RunStamp, generation: int
) -> tuple[list[Place], dict[Place, str]]:
    """Returns the faces that are members no longer, and those that joined with how they did."""
    content = entry.content
    if entry.wanted.identity is None:
        _insert_identity(connection, entry, stamp.run_id, generation)
    this = t.identities.c.name == entry.name
    if entry.manifest_sha256 is not None:
        values = {
            "live": True,
            "kind": content.kind,
            "model_id": stamp.model_id,
            **({"centroid": content.centroid().tobytes()} if content.faces else {}),
            "manifest_sha256": entry.manifest_sha256,
            "run_id": stamp.run_id,
        }
        connection.execute(sa.update(t.identities).where(this).values(**values))
        connection.execute(sa.delete(t.tombstones).where(t.tombstones.c.name == entry.name))
    places = _places(connection, entry.name)
    known = {face_id for _, face_id in places}
    gone = [(bucket, face_id) for bucket, face_id in places if face_id not in entry.wanted.members]
    if gone:
        member = (t.members.c.name == entry.name, t.members.c.face_id == sa.bindparam("gone"))
        connection.execute(sa.delete(t.members).where(*member), [{"gone": face_id} for _, face_id in gone])
    bucket_of = dict(content.members.select("face_id", "bucket").iter_rows())
    rows = [
        {
            "name": entry.name,
            "bucket": bucket_of[face_id],
            "face_id": face_id,
            "joined_by": joined_by,
            "run_id": stamp.run_id,
        }
        for face_id, joined_by in entry.wanted.members.items()
        if face_id not in known and face_id in bucket_of
    ]
    if rows:
        connection.execute(sa.insert(t.members), rows)
    return gone, {(row["bucket"], row["face_id"]): row["joined_by"] for row in rows}


def _places(connection: sa.Connection, name: str) -> list[Place]:
    """Those of an identity's members."""
    query = sa.select(t.members.c.bucket, t.members.c.face_id).where(t.members.c.name == name)
    return [(row.bucket, row.face_id) for row in connection.execute(query.order_by(*query.selected_columns))]


def _write_who_left(connection: sa.Connection, left: Sequence[tuple[str, str]]) -> None:
    """Faces that another person has by now, through other photos with the same bytes, end covered by that person."""
    if not left:
        return
    first = sa.func.min(t.members.c.name)
    owners = sa.select(t.members.c.face_id, first).join(t.identities, t.identities.c.name == t.members.c.name)
    owners = owners.where(t.identities.c.live, t.identities.c.kind.not_in(ERA_KINDS)).group_by(t.members.c.face_id)
    owner_of: dict[str, str] = {}
    for some in in_batches(sorted({face_id for _, face_id in left})):
        owner_of.update((row[0], row[1]) for row in connection.execute(owners.where(t.members.c.face_id.in_(some))))
    this = (t.decisions.c.bucket == sa.bindparam("of"), t.decisions.c.face_id == sa.bindparam("face"))
    values: dict[str, Any] = {
        "state": sa.bindparam("ends"),
        "value": None,
        "threshold": None,
        "identity": sa.bindparam("owner"),
        "ruling": None,
    }
    rows: list[dict[str, str | None]] = []
    for bucket, face_id in left:
        owner = owner_of.get(face_id)
        rows.append({"of": bucket, "face": face_id, "ends": "covered" if owner else "outlier", "owner": owner})
    connection.execute(sa.update(t.decisions).where(*this).values(**values), rows)


def _write_withheld(connection: sa.Connection, published: Sequence[PublishedIdentity]) -> None:
    """Faces that the home's policy withholds, whatever wrote the funnels."""
    rows = [
        {"of": entry.name, "face": face_id, "rank": verdict.value}
        for entry in published
        if entry.shown.withheld and entry.shown.kind not in ERA_KINDS
        for face_id, verdict in entry.shown.excluded.items()
        if verdict.state == WITHHELD
    ]
    if rows:
        column = t.decisions.c
        this = (
            column.identity == sa.bindparam("of"),
            column.face_id == sa.bindparam("face"),
            column.state == "exported",
        )
        now: dict[str, Any] = {"state": WITHHELD, "value": sa.bindparam("rank"), "threshold": None}
        connection.execute(sa.update(t.decisions).where(*this).values(**now), rows)


def _insert_identity(connection: sa.Connection, entry: PublishedIdentity, run_id: str, generation: int) -> None:
    wanted, anchor = entry.wanted, entry.wanted.anchor
    if anchor is None:
        connection.execute(sa.insert(t.numbers).values(number=entry.number, name=entry.name, run_id=run_id))
    else:
        values = {"year": anchor.year, "first_year": anchor.first_year, "last_year": anchor.last_year}
        vector = anchor.centroid.astype("float32").tobytes()
        connection.execute(sa.delete(t.eras).where(t.eras.c.name == entry.name))
        connection.execute(sa.insert(t.eras).values(name=entry.name, centroid=vector, **values))
    connection.execute(
        sa.insert(t.identities).values(
            name=entry.name,
            number=entry.number,
            kind=entry.content.kind,
            parent=wanted.parent,
            bucket=entry.content.bucket,
            label=wanted.label,
            live=True,
            founded=generation,
            run_id=run_id,
        )
    )


def _retire(connection: sa.Connection, identity: Identity, run_id: str) -> None:
    """Its members stay on record: an identity found again is recognised by them."""
    connection.execute(sa.update(t.identities).where(t.identities.c.name == identity.name).values(live=False))
    connection.execute(
        sa.insert(t.tombstones).values(
            name=identity.name, number=identity.number, reason="vanished", merged_into=None, run_id=run_id
        )
    )


def _write_bucket(connection: sa.Connection, stamp: RunStamp, record: BucketRecord) -> None:
    connection.execute(sa.delete(t.bucket_runs).where(t.bucket_runs.c.bucket == record.bucket))
    connection.execute(
        sa.insert(t.bucket_runs).values(
            bucket=record.bucket,
            inputs_digest=record.inputs_digest,
            identity_parameters=json.dumps(dict(record.identity_parameters), sort_keys=True),
            model_id=stamp.model_id,
            run_id=stamp.run_id,
            finished_at=stamp.created_at,
        )
    )
    connection.execute(sa.delete(t.decisions).where(t.decisions.c.bucket == record.bucket))
    rows = record.funnel.with_columns(bucket=pl.lit(record.bucket)).to_dicts()
    if rows:
        connection.execute(sa.insert(t.decisions), rows)
    if record.joins is not None:
        replace_joins(connection, record.bucket, record.joins)


def _write_decisions_elsewhere(connection: sa.Connection, entry: PublishedIdentity, settled: Sequence[str]) -> None:
    """The states of members from buckets whose funnel is not replaced here. Eras are copies and decide nothing."""
    if not entry.content.faces or entry.content.kind in ERA_KINDS:
        return
    members = entry.content.members.filter(~pl.col("bucket").is_in(settled))
    verdicts, rows = entry.shown.verdicts(), []
    for row in members.select("bucket", "face_id", "source_missing", "truncated").iter_rows(named=True):
        verdict = verdicts.get(row["face_id"], Verdict("exported"))
        ended = {"state": verdict.state, "value": verdict.value, "threshold": verdict.threshold}
        rows.append({**row, **ended, "identity": entry.name, "ruling": None})
    if rows:
        insert = insert_into(connection, t.decisions)
        now = {name: insert.excluded[name] for name in ("state", "value", "threshold", "identity", "ruling")}
        connection.execute(insert.on_conflict_do_update(index_elements=["bucket", "face_id"], set_=now), rows)

"""The one transaction in which a publication becomes true. Called under the library's lock."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library import tables as t
from facesets_dagster.library.moves import Move
from facesets_dagster.library.publication import Publication
from facesets_dagster.library.registry import Registry
from facesets_dagster.library.resolution import Group


@dataclass(frozen=True)
class PublishedIdentity:
    """An identity of the bucket as it stands after the publication."""

    name: str
    number: int
    group: Group
    content: FacesetContent
    manifest_sha256: str | None
    """Of the staged manifest; None if the faceset in place stays as it is."""


@dataclass(frozen=True)
class Commit:
    """Everything that one publication writes to the registry."""

    request: Publication
    published: Sequence[PublishedIdentity]
    vanished: Sequence[Identity]
    funnel: pl.DataFrame
    moves: Sequence[Move]
    finished_at: str


def commit(registry: Registry, entry: Commit) -> None:
    """Writes it all or nothing."""
    run_id = entry.request.run_id
    with registry.engine.begin() as connection:
        generation = 1 + int(
            connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == "generation").with_for_update()) or 0
        )
        connection.execute(sa.update(t.meta).where(t.meta.c.key == "generation").values(value=str(generation)))
        for identity in entry.published:
            _write_identity(connection, identity, entry, generation)
        for vanished in entry.vanished:
            _retire(connection, vanished, run_id)
        _write_bucket(connection, entry)
        if entry.moves:
            rows = [
                {
                    "step": step,
                    "staging": move.staging,
                    "action": move.action,
                    "name": move.name,
                    "manifest_sha256": move.manifest_sha256,
                }
                for step, move in enumerate(entry.moves, start=1)
            ]
            connection.execute(sa.insert(t.pending_moves), rows)


def _write_identity(connection: sa.Connection, entry: PublishedIdentity, owner: Commit, generation: int) -> None:
    run_id, bucket = owner.request.run_id, owner.request.proposal.bucket
    if entry.group.identity is None:
        connection.execute(sa.insert(t.numbers).values(number=entry.number, name=entry.name, run_id=run_id))
        connection.execute(
            sa.insert(t.identities).values(
                name=entry.name,
                number=entry.number,
                kind=entry.content.kind,
                bucket=bucket,
                live=True,
                founded=generation,
                run_id=run_id,
            )
        )
    this = t.identities.c.name == entry.name
    if entry.manifest_sha256 is not None:
        values = {
            "live": True,
            "model_id": owner.request.model_id,
            "centroid": entry.content.centroid().tobytes(),
            "manifest_sha256": entry.manifest_sha256,
            "run_id": run_id,
        }
        connection.execute(sa.update(t.identities).where(this).values(**values))
        connection.execute(sa.delete(t.tombstones).where(t.tombstones.c.name == entry.name))
    known = set(connection.scalars(sa.select(t.members.c.face_id).where(t.members.c.name == entry.name)))
    gone = known - set(entry.group.members)
    for face_id in sorted(gone):
        connection.execute(sa.delete(t.members).where(t.members.c.name == entry.name, t.members.c.face_id == face_id))
    rows = [
        {"name": entry.name, "bucket": bucket, "face_id": face_id, "joined_by": joined_by, "run_id": run_id}
        for face_id, joined_by in entry.group.members.items()
        if face_id not in known
    ]
    if rows:
        connection.execute(sa.insert(t.members), rows)


def _retire(connection: sa.Connection, identity: Identity, run_id: str) -> None:
    """Its members stay on record: an identity found again is recognised by them."""
    connection.execute(sa.update(t.identities).where(t.identities.c.name == identity.name).values(live=False))
    connection.execute(
        sa.insert(t.tombstones).values(
            name=identity.name, number=identity.number, reason="vanished", merged_into=None, run_id=run_id
        )
    )


def _write_bucket(connection: sa.Connection, entry: Commit) -> None:
    bucket = entry.request.proposal.bucket
    connection.execute(sa.delete(t.bucket_runs).where(t.bucket_runs.c.bucket == bucket))
    connection.execute(
        sa.insert(t.bucket_runs).values(
            bucket=bucket,
            inputs_digest=entry.request.inputs_digest,
            identity_parameters=json.dumps(dict(entry.request.identity_parameters), sort_keys=True),
            model_id=entry.request.model_id,
            run_id=entry.request.run_id,
            finished_at=entry.finished_at,
        )
    )
    connection.execute(sa.delete(t.decisions).where(t.decisions.c.bucket == bucket))
    rows = entry.funnel.with_columns(bucket=pl.lit(bucket)).to_dicts()
    if rows:
        connection.execute(sa.insert(t.decisions), rows)

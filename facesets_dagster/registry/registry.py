"""The registry: identities, numbers, members, tombstones and decisions, in one database.

Identities are written by `publishing` alone, in one transaction under the library's lock; a label also by
`facesets label`. Reading needs no lock.
"""

import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.dialects import postgresql, sqlite

from facesets_dagster.errors import LibraryCorrupt, LibraryError
from facesets_dagster.identities.eras import Anchor
from facesets_dagster.identities.identity import Identity
from facesets_dagster.registry import tables as t

DECISION_SCHEMA = pl.Schema(
    {
        "face_id": pl.String,
        "state": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "identity": pl.String,
        "nearest": pl.String,
        "nearest_distance": pl.Float64,
        "ambiguous_with": pl.String,
        "source_missing": pl.Boolean,
        "truncated": pl.Boolean,
    }
)
"""One row per detected face of a bucket: its terminal state, with the number that decided it."""

_MOST_IN_A_QUERY = 10_000
"""Values of an IN; SQLite takes 32,766 parameters."""

_MAKING_TABLES = 0x66616365
"""Key of the advisory lock in PostgreSQL; any constant of our own."""


MEMBERSHIP_SCHEMA = pl.Schema({"name": pl.String, "bucket": pl.String, "face_id": pl.String, "joined_by": pl.String})
"""Who is a member of what: identity, bucket of the face, the face, how it joined."""


@dataclass(frozen=True)
class Adopted:
    """A faceset of a legacy library that is live here."""

    root: Path
    entry: dict[str, object]


@dataclass(frozen=True)
class BucketRun:
    """The last run that published a bucket."""

    bucket: str
    inputs_digest: str
    identity_parameters: dict[str, object]
    model_id: str
    run_id: str
    finished_at: str


@dataclass(frozen=True)
class Tombstone:
    """A name that is out of use, for ever unless the same people are found again."""

    name: str
    number: int
    reason: str
    merged_into: str | None
    run_id: str


class Registry:
    """Typed access to the registry's tables."""

    def __init__(self, database_url: str) -> None:
        self.engine = _engine(database_url)

    def create(self) -> None:
        """Makes the tables if they are absent and checks the schema version."""
        with self.engine.begin() as connection:
            _wait_for_turn(connection)
            t.metadata.create_all(connection)
            insert = _insert(connection, t.meta).on_conflict_do_nothing()
            connection.execute(insert, [{"key": "schema_version", "value": t.SCHEMA_VERSION}])
            connection.execute(insert, [{"key": "generation", "value": "0"}])
            found = connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == "schema_version"))
        if found != t.SCHEMA_VERSION:
            raise LibraryCorrupt(
                f"The registry has schema version {found}, this release reads {t.SCHEMA_VERSION}. Use the release that "
                "wrote it, or follow the upgrade page of the docs. Nothing was changed."
            )

    def generation(self) -> int:
        """Counts publications and labels; a snapshot with an older generation may be out of date."""
        with self.engine.connect() as connection:
            return int(connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == "generation")) or 0)

    def identities(self) -> list[Identity]:
        """All identities, retired ones too, oldest first. An era without a label of its own has its parent's."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.identities).order_by(t.identities.c.founded, t.identities.c.name))
            found = [_identity(row) for row in rows.mappings()]
        labels = {identity.name: identity.label for identity in found}
        return [
            replace(identity, label=labels.get(identity.family)) if identity.is_era and not identity.label else identity
            for identity in found
        ]

    def members(self, names: Iterable[str] | None = None) -> dict[str, dict[str, str]]:
        """Identity name -> {face_id: how it joined}."""
        query = sa.select(t.members.c.name, t.members.c.face_id, t.members.c.joined_by)
        if names is not None:
            query = query.where(t.members.c.name.in_(list(names)))
        found: dict[str, dict[str, str]] = {}
        with self.engine.connect() as connection:
            for name, face_id, joined_by in connection.execute(query.order_by(t.members.c.name, t.members.c.face_id)):
                found.setdefault(name, {})[face_id] = joined_by
        return found

    def memberships(
        self, *, name: str | None = None, bucket: str | None = None, face_ids: AbstractSet[str] | None = None
    ) -> pl.DataFrame:
        """Rows of `MEMBERSHIP_SCHEMA`, of one identity, one bucket or these faces, by name, bucket and face_id."""
        columns = [t.members.c[name] for name in MEMBERSHIP_SCHEMA.names()]
        query = sa.select(*columns).order_by(*columns[:3])
        if name is not None:
            query = query.where(t.members.c.name == name)
        if bucket is not None:
            query = query.where(t.members.c.bucket == bucket)
        if face_ids is not None and len(face_ids) <= _MOST_IN_A_QUERY:
            query = query.where(t.members.c.face_id.in_(sorted(face_ids)))
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        found = pl.DataFrame(rows, schema=MEMBERSHIP_SCHEMA, orient="row")
        return found if face_ids is None else found.filter(pl.col("face_id").is_in(list(face_ids)))

    def anchors(self) -> dict[str, Anchor]:
        """Era name -> what it was seeded with."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.eras).order_by(t.eras.c.name)).mappings().all()
        return {row["name"]: _anchor(row) for row in rows}

    def adopted(self) -> dict[str, Adopted]:
        """Name -> where a faceset of a legacy library lies, and its entry there."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.adopted).order_by(t.adopted.c.name)).mappings().all()
        return {row["name"]: Adopted(Path(row["root"]), json.loads(row["entry"])) for row in rows}

    def bucket_run(self, bucket: str) -> BucketRun | None:
        """The last run that published the bucket; None for a new bucket."""
        with self.engine.connect() as connection:
            row = (
                connection.execute(sa.select(t.bucket_runs).where(t.bucket_runs.c.bucket == bucket)).mappings().first()
            )
        return _bucket_run(row) if row else None

    def bucket_runs(self) -> list[BucketRun]:
        """The last run of every bucket, by name."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.bucket_runs).order_by(t.bucket_runs.c.bucket)).mappings().all()
        return [_bucket_run(row) for row in rows]

    def decisions(self, bucket: str) -> pl.DataFrame:
        """The funnel of a bucket (`DECISION_SCHEMA`), by face_id."""
        columns = [t.decisions.c[name] for name in DECISION_SCHEMA.names()]
        query = sa.select(*columns).where(t.decisions.c.bucket == bucket).order_by(t.decisions.c.face_id)
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=DECISION_SCHEMA, orient="row")

    def exported(self) -> list[tuple[str, str, str]]:
        """(bucket, identity, face_id) of every face that is exported."""
        columns = (t.decisions.c.bucket, t.decisions.c.identity, t.decisions.c.face_id)
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(*columns).where(t.decisions.c.state == "exported"))
            return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]

    def tombstones(self) -> list[Tombstone]:
        """All tombstones, by number and name."""
        query = sa.select(t.tombstones).order_by(t.tombstones.c.number, t.tombstones.c.name)
        with self.engine.connect() as connection:
            return [Tombstone(**row) for row in connection.execute(query).mappings()]

    def used_numbers(self) -> set[int]:
        """Every number that was ever allocated here."""
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(t.numbers.c.number)))

    def manifest_sha256(self, name: str) -> str | None:
        """Digest that the faceset's manifest must have."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.select(t.identities.c.manifest_sha256).where(t.identities.c.name == name))

    def manifest_digests(self) -> dict[str, str | None]:
        """Identity name -> digest that the faceset's manifest must have."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.identities.c.name, t.identities.c.manifest_sha256))
            return {row.name: row.manifest_sha256 for row in rows}

    def owes_moves(self) -> bool:
        """True if a publication was interrupted after its commit."""
        with self.engine.connect() as connection:
            return bool(connection.scalar(sa.select(sa.func.count()).select_from(t.pending_moves)))

    def folder_digests(self) -> dict[str, str]:
        """Bucket -> state of its folder that the library was last brought up to."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.bucket_folders.c.bucket, t.bucket_folders.c.folder_digest))
            return {row.bucket: row.folder_digest for row in rows}

    def note_folder(self, bucket: str, digest: str) -> None:
        """Records that the library is up to this state of the bucket's folder."""
        self._note_folders({bucket: digest})

    def mark_stale(self, buckets: Iterable[str]) -> None:
        """Records that the library is up to no state of these buckets' folders: each is to be run again."""
        self._note_folders(dict.fromkeys(buckets, ""))

    def _note_folders(self, digests: Mapping[str, str]) -> None:
        rows = [{"bucket": bucket, "folder_digest": digest} for bucket, digest in digests.items()]
        with self.engine.begin() as connection:
            insert = _insert(connection, t.bucket_folders)
            changed = {"folder_digest": insert.excluded.folder_digest}
            if rows:
                connection.execute(insert.on_conflict_do_update(index_elements=["bucket"], set_=changed), rows)

    def set_label(self, name: str, label: str | None) -> None:
        """Names a person by hand. Raises `LibraryError` if there is no live faceset of that name."""
        statement = sa.update(t.identities).where(t.identities.c.name == name, t.identities.c.live.is_(True))
        with self.engine.begin() as connection:
            next_generation(connection)
            if connection.execute(statement.values(label=label)).rowcount != 1:
                raise LibraryError(f"There is no live faceset {name!r}. `facesets status` lists those that exist.")


def next_generation(connection: sa.Connection) -> int:
    """The generation that this transaction makes; whoever makes another one waits until its end."""
    this = t.meta.c.key == "generation"
    following = sa.cast(sa.cast(t.meta.c.value, sa.Integer) + 1, sa.String)
    connection.execute(sa.update(t.meta).where(this).values(value=following))
    return int(connection.scalar(sa.select(t.meta.c.value).where(this)) or 0)


def _engine(database_url: str) -> sa.Engine:
    engine = sa.create_engine(database_url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _durable(connection: Any, _: object) -> None:
            connection.execute("PRAGMA busy_timeout=60000")
            connection.execute("PRAGMA synchronous=FULL")
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                # Two who switch at once are refused in spite of the timeout; the mode stays in the file.
                with FileLock(f"{engine.url.database}.lock"):
                    connection.execute("PRAGMA journal_mode=WAL")

    return engine


def _wait_for_turn(connection: sa.Connection) -> None:
    """Until the end of the transaction nobody else makes tables: looking and making is not one step in SQL."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING_TABLES)))


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _identity(row: sa.RowMapping) -> Identity:
    blob = row["centroid"]
    return Identity(
        **{key: row[key] for key in row if key not in ("centroid", "manifest_sha256", "run_id")},
        centroid=None if blob is None else np.frombuffer(blob, np.float32),
    )


def _anchor(row: sa.RowMapping) -> Anchor:
    return Anchor(
        centroid=np.frombuffer(row["centroid"], np.float32),
        year=row["year"],
        first_year=row["first_year"],
        last_year=row["last_year"],
    )


def _bucket_run(row: sa.RowMapping) -> BucketRun:
    return BucketRun(**{**row, "identity_parameters": json.loads(row["identity_parameters"])})

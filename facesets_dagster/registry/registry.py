"""The registry: identities, numbers, members, tombstones and decisions, in one database.

Identities are written by `publishing` alone, in one transaction under the library's lock; a label also by
`facesets label`. Reading needs no lock.
"""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from facesets_dagster.identities.eras import Anchor
from facesets_dagster.identities.identity import ERA_KINDS, Identity
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import insert_into, make_engine
from facesets_dagster.registry.ruling_book import RulingBook
from facesets_dagster.registry.schema import State, create_tables, read_state
from facesets_dagster.registry.snapshot import MEMBERSHIP_SCHEMA, Snapshot, in_batches

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
        "ruling": pl.String,
        "source_missing": pl.Boolean,
        "truncated": pl.Boolean,
    }
)
"""One row per detected face of a bucket: its terminal state, with the number or the ruling that decided it."""

NOT_THEIRS = ("ignored", "ruled_out")
"""States of faces that are not the person's whom `identity` names."""


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


@dataclass(frozen=True)
class Listed:
    """The top-level manifest as it was last brought up."""

    state: State
    """Of the registry then."""
    file: tuple[int, ...]
    """State of the file then (`files.states`)."""


class Registry:
    """Typed access to the registry's tables."""

    def __init__(self, database_url: str) -> None:
        self.engine = make_engine(database_url)
        self._snapshot: Snapshot | None = None
        self.rulings = RulingBook()
        """All rulings, as this process knows them."""
        self.checked: tuple[int, int] | None = None
        """The file whose tables `open_registry` has looked at."""
        self.paired: dict[Path, object] = {}
        """Library folder -> state of both when they were found to belong together (`library.opening`)."""

    def create(self) -> None:
        """Makes tables and indexes that are absent; raises `LibraryCorrupt` for another schema version."""
        create_tables(self.engine)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """SQLite's file stays open during the block: opening it for each query costs more than the query."""
        connection = self.engine.raw_connection()
        try:
            yield
        finally:
            connection.close()

    def state(self) -> State:
        """Which registry this is now; one query."""
        with self.engine.connect() as connection:
            return read_state(connection)

    def snapshot(self) -> Snapshot:
        """The registry as it is now; the same object as long as nothing was published or named."""
        state = self.state()
        if self._snapshot is None or self._snapshot.state != state:
            self._snapshot = Snapshot(self.engine, state, self._snapshot)
        return self._snapshot

    def generation(self) -> int:
        """Counts publications and labels; a snapshot with an older generation may be out of date."""
        return self.state().generation

    def identities(self) -> list[Identity]:
        """All identities, retired ones too, oldest first. An era without a label of its own has its parent's."""
        return list(self.snapshot().identities())

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

    def memberships(self, *, name: str | None = None, bucket: str | None = None) -> pl.DataFrame:
        """Rows of `MEMBERSHIP_SCHEMA`, all or of one identity or one bucket, by name, bucket and face_id."""
        columns = [t.members.c[name] for name in MEMBERSHIP_SCHEMA.names()]
        query = sa.select(*columns).order_by(*columns[:3])
        if name is not None:
            query = query.where(t.members.c.name == name)
        if bucket is not None:
            query = query.where(t.members.c.bucket == bucket)
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=MEMBERSHIP_SCHEMA, orient="row")

    def membership_rows(self) -> list[tuple[str, str, str, str]]:
        """Identity, bucket, face_id and how it joined of all members, by identity and face_id."""
        members = t.members.c
        query = sa.select(members.name, members.bucket, members.face_id, members.joined_by)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(members.name, members.face_id, members.bucket)).fetchall()
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def anchors(self) -> dict[str, Anchor]:
        """Era name -> what it was seeded with."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.eras).order_by(t.eras.c.name)).mappings().all()
        return {row["name"]: _anchor(row) for row in rows}

    def adopted(self, names: Collection[str] | None = None) -> dict[str, Adopted]:
        """Name -> where a faceset of a legacy library lies, and its entry there; of all, or of these."""
        query = sa.select(t.adopted).order_by(t.adopted.c.name)
        with self.engine.connect() as connection:
            rows = connection.execute(_among(query, t.adopted.c.name, names)).mappings().all()
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

    def face_counts(self) -> dict[str, int]:
        """Bucket -> faces of its funnel."""
        query = sa.select(t.decisions.c.bucket, sa.func.count()).group_by(t.decisions.c.bucket)
        with self.engine.connect() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def buckets_of(self, face_ids: Collection[str]) -> dict[str, str]:
        """face_id -> a bucket that knows the face, as a member or by its funnel; unknown ones are left out."""
        found: dict[str, str] = {}
        with self.engine.connect() as connection:
            for table in (t.members, t.decisions):
                for some in in_batches(sorted(set(face_ids) - found.keys())):
                    query = sa.select(table.c.face_id, table.c.bucket).where(table.c.face_id.in_(some))
                    for face_id, bucket in connection.execute(query.order_by(table.c.bucket)):
                        found.setdefault(face_id, bucket)
        return found

    def decided_for(self, names: Collection[str]) -> pl.DataFrame:
        """`bucket`, `face_id`, `state` of every face that a funnel gives to one of these names, by bucket and face_id.

        Faces that a ruling took from them are not theirs.

        A funnel keeps the names of its day: merged names have to be given too.
        """
        columns = (t.decisions.c.bucket, t.decisions.c.face_id, t.decisions.c.state)
        theirs = t.decisions.c.identity.in_(sorted(names)) & t.decisions.c.state.not_in(NOT_THEIRS)
        query = sa.select(*columns).where(theirs).order_by(*columns[:2])
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=dict.fromkeys(("bucket", "face_id", "state"), pl.String), orient="row")

    def exported(self) -> list[tuple[str, str, str]]:
        """(bucket, identity, face_id) of every face that is exported."""
        columns = (t.decisions.c.bucket, t.decisions.c.identity, t.decisions.c.face_id)
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(*columns).where(t.decisions.c.state == "exported"))
            return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]

    def tombstones(self, names: Collection[str] | None = None) -> list[Tombstone]:
        """All tombstones, or those of these names, by number and name."""
        columns = [t.tombstones.c[name] for name in ("name", "number", "reason", "merged_into", "run_id")]
        query = sa.select(*columns).order_by(t.tombstones.c.number, t.tombstones.c.name)
        with self.engine.connect() as connection:
            rows = connection.execute(_among(query, t.tombstones.c.name, names)).mappings()
            return [Tombstone(**row) for row in rows]

    def largest_number(self) -> int:
        """The largest number that was ever allocated here; 0 if there is none."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(t.numbers.c.number))) or 0

    def published_since(self, generation: int, run_id: str) -> set[str]:
        """Identities that this run has published after that generation."""
        own = t.identities.c
        query = sa.select(own.name).where(own.changed > generation, own.run_id == run_id)
        with self.engine.connect() as connection:
            return set(connection.scalars(query))

    def numbers_twice(self) -> list[int]:
        """Numbers that two identities have, eras aside: none in a sound registry."""
        people = sa.select(t.identities.c.number).where(t.identities.c.kind.not_in(ERA_KINDS))
        query = people.group_by(t.identities.c.number).having(sa.func.count() > 1)
        with self.engine.connect() as connection:
            return sorted(connection.scalars(query))

    def used_numbers(self) -> set[int]:
        """Every number that was ever allocated here."""
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(t.numbers.c.number)))

    def manifest_digests(self) -> dict[str, str | None]:
        """Identity name -> digest that the faceset's manifest must have."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(t.identities.c.name, t.identities.c.manifest_sha256))
            return {row.name: row.manifest_sha256 for row in rows}

    def owes_moves(self) -> bool:
        """True if a publication was interrupted after its commit."""
        with self.engine.connect() as connection:
            return bool(connection.scalar(sa.select(sa.func.count()).select_from(t.pending_moves)))

    def folder_digests(self, buckets: Iterable[str]) -> dict[str, str]:
        """Bucket -> state of its folder that the library was last brought up to, of these buckets."""
        query = sa.select(t.bucket_folders.c.bucket, t.bucket_folders.c.folder_digest)
        found = dict[str, str]()
        with self.engine.connect() as connection:
            for some in in_batches(sorted(buckets)):
                rows = connection.execute(query.where(t.bucket_folders.c.bucket.in_(some)))
                found.update({row.bucket: row.folder_digest for row in rows})
        return found

    def folder_digest(self, bucket: str) -> str | None:
        """State of the bucket's folder that the library was last brought up to; empty if it is up to none."""
        query = sa.select(t.bucket_folders.c.folder_digest).where(t.bucket_folders.c.bucket == bucket)
        with self.engine.connect() as connection:
            return connection.scalar(query)

    def note_folder(self, bucket: str, digest: str) -> None:
        """Records that the library is up to this state of the bucket's folder."""
        self._note_folders({bucket: digest})

    def mark_stale(self, buckets: Iterable[str]) -> None:
        """Records that the library is up to no state of these buckets' folders: each is to be run again."""
        buckets = list(buckets)
        self._note_folders(dict.fromkeys(buckets, ""))
        with self.engine.begin() as connection:
            for some in in_batches(buckets):
                connection.execute(sa.delete(t.bucket_extensions).where(t.bucket_extensions.c.bucket.in_(some)))

    def extension(self, bucket: str) -> tuple[str, float | None] | None:
        """Inputs and distance by which faces of the bucket last joined known people; None before the first time."""
        query = sa.select(t.bucket_extensions.c.inputs_digest, t.bucket_extensions.c.route_distance)
        with self.engine.connect() as connection:
            row = connection.execute(query.where(t.bucket_extensions.c.bucket == bucket)).one_or_none()
        return (row.inputs_digest, row.route_distance) if row else None

    def joined_in(self, run_id: str, bucket: str) -> dict[str, int]:
        """Identity -> faces of the bucket that joined it in this run because it covers them."""
        these = (t.members.c.run_id == run_id, t.members.c.bucket == bucket, t.members.c.joined_by == "extended")
        query = sa.select(t.members.c.name, sa.func.count()).where(*these).group_by(t.members.c.name)
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query.order_by(t.members.c.name))}

    def note_extension(self, bucket: str, inputs_digest: str, route_distance: float | None) -> None:
        """Records from which inputs the faces of the bucket were judged."""
        row = {"bucket": bucket, "inputs_digest": inputs_digest, "route_distance": route_distance}
        with self.engine.begin() as connection:
            insert = insert_into(connection, t.bucket_extensions)
            newer = {name: insert.excluded[name] for name in ("inputs_digest", "route_distance")}
            connection.execute(insert.on_conflict_do_update(index_elements=["bucket"], set_=newer), [row])

    def _note_folders(self, digests: Mapping[str, str]) -> None:
        rows = [{"bucket": bucket, "folder_digest": digest} for bucket, digest in digests.items()]
        with self.engine.begin() as connection:
            insert = insert_into(connection, t.bucket_folders)
            changed = {"folder_digest": insert.excluded.folder_digest}
            if rows:
                connection.execute(insert.on_conflict_do_update(index_elements=["bucket"], set_=changed), rows)

    def listed(self) -> Listed | None:
        """What the top-level manifest was last brought up to; None before the first time."""
        query = sa.select(t.meta.c.value).where(t.meta.c.key == "top_manifest")
        with self.engine.connect() as connection:
            value = connection.scalar(query)
        if value is None:
            return None
        generation, mark, *file = json.loads(value)
        return Listed(State(generation, mark), tuple(file))

    def note_listed(self, listed: Listed) -> None:
        """Records what the top-level manifest was brought up to."""
        value = json.dumps([listed.state.generation, listed.state.mark, *listed.file])
        with self.engine.begin() as connection:
            insert = insert_into(connection, t.meta)
            newer = insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded.value})
            connection.execute(newer, [{"key": "top_manifest", "value": value}])


def _among(query: sa.Select[Any], column: sa.Column[str], names: Collection[str] | None) -> sa.Select[Any]:
    return query if names is None else query.where(column.in_(sorted(names)))


def _anchor(row: sa.RowMapping) -> Anchor:
    return Anchor(
        centroid=np.frombuffer(row["centroid"], np.float32),
        year=row["year"],
        first_year=row["first_year"],
        last_year=row["last_year"],
    )


def _bucket_run(row: sa.RowMapping) -> BucketRun:
    return BucketRun(**{**row, "identity_parameters": json.loads(row["identity_parameters"])})


def open_registry(database_url: str) -> Registry:
    """The registry at this URL, one object for all callers of a process; its tables are made if they are absent.

    They are looked at once, and again if SQLite's file is absent or another one by now.
    """
    registry = registry_at(database_url)
    if registry.checked is None or registry.checked != file_of(registry.engine):
        registry.create()
        registry.checked = file_of(registry.engine)
    return registry


def registry_at(database_url: str) -> Registry:
    """The same object, whether or not there is anything at this URL; nothing is made."""
    return _shared(database_url, os.getpid())


@lru_cache(maxsize=16)
def _shared(database_url: str, process: int) -> Registry:
    """`process`: connections do not survive a fork."""
    return Registry(database_url)


def file_of(engine: sa.Engine) -> tuple[int, int] | None:
    """Device and inode of SQLite's file, None if it is absent or empty; (0, 0) for a server."""
    if engine.dialect.name != "sqlite":
        return 0, 0
    try:
        status = os.stat(str(engine.url.database))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (status.st_dev, status.st_ino) if status.st_size else None

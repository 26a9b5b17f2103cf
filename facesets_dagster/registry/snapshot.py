"""The registry at one generation: asked by filtered queries, each of which is made once.

A snapshot is made for every question that starts anew (`Registry.snapshot`) and handed on from there. What it has read
stays true for its generation; what it has not read yet it reads as the registry is by then. A publication therefore
compares generations under the library's lock before it relies on one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from facesets_dagster.identities.identity import ERA_KINDS, Identity, by_trust
from facesets_dagster.identities.merging import MARK
from facesets_dagster.identities.projection import OF_RULINGS, RULED, is_ruled
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.schema import State

MEMBERSHIP_SCHEMA = pl.Schema({"name": pl.String, "bucket": pl.String, "face_id": pl.String, "joined_by": pl.String})
"""Members of identities: identity, bucket of the face, the face, how it joined."""

MOST_IN_A_QUERY = 10_000
"""Values of an IN; SQLite takes 32,766 parameters."""


class Snapshot:
    """Identities and members at one generation. Answers are the caller's own, but for the identities in them."""

    def __init__(self, engine: sa.Engine, state: State, before: "Snapshot | None" = None) -> None:
        """`before`: an older snapshot, whose list of identities is brought up instead of read again."""
        self.state = state
        self._engine = engine
        self._before = before if before is not None and before._all is not None else None
        self._all: tuple[Identity, ...] | None = None
        self._named: dict[str, Identity] = {}
        self._own: dict[str, tuple[Identity, ...]] = {}
        self._rows_by_name: dict[str, list[tuple[str, str, str]]] = {}
        self._rows_by_bucket: dict[str, pl.DataFrame] = {}

    @property
    def generation(self) -> int:
        """Counts publications and labels."""
        return self.state.generation

    def identities(self) -> tuple[Identity, ...]:
        """All identities, retired ones too, oldest first. An era without a label of its own has its parent's."""
        if self._all is None:
            self._all = self._brought_up() or tuple(self._read(_identities().order_by(*_AGE)))
            self._before = None
            self._named = {identity.name: identity for identity in self._all}
        return self._all

    def live(self) -> list[Identity]:
        """Live identities, eras too, oldest first."""
        return [identity for identity in self.identities() if identity.live]

    def people(self) -> list[Identity]:
        """Live identities without eras, oldest first."""
        return [identity for identity in self.identities() if identity.live and not identity.is_era]

    def named(self, names: Iterable[str]) -> dict[str, Identity]:
        """Name -> identity, for those of these names that exist."""
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self._named] if self._all is None else []
        for some in in_batches(missing):
            found = self._read(_identities().where(t.identities.c.name.in_(some)))
            self._named.update((identity.name, identity) for identity in found)
        return {name: self._named[name] for name in wanted if name in self._named}

    def own(self, bucket: str, *, retired: bool) -> list[Identity]:
        """Identities that the bucket founded, oldest first, eras aside; live ones, or `retired` ones too."""
        if bucket not in self._own:
            query = _identities().where(t.identities.c.bucket == bucket, t.identities.c.kind.not_in(ERA_KINDS))
            self._own[bucket] = tuple(self._read(query.order_by(*_AGE)))
        return [identity for identity in self._own[bucket] if identity.live or retired]

    def members(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Identity -> face_id -> how it joined; identities without members are left out."""
        found = self._rows_of(names)
        return {
            name: {face: how for _, face, how in sorted(rows, key=lambda row: row[1])}
            for name, rows in found.items()
            if rows
        }

    def places(self, name: str) -> dict[str, str]:
        """face_id -> bucket through which it is a member of this identity."""
        return {face: bucket for bucket, face, _ in self._rows_of([name])[name]}

    def rows_of_bucket(self, bucket: str) -> pl.DataFrame:
        """`MEMBERSHIP_SCHEMA` of the faces of a bucket, by name and face_id."""
        if bucket not in self._rows_by_bucket:
            query = sa.select(*_MEMBER).where(t.members.c.bucket == bucket)
            rows = self._rows(query.order_by(*_MEMBER[:3]))
            self._rows_by_bucket[bucket] = pl.DataFrame(rows, schema=MEMBERSHIP_SCHEMA, orient="row")
        return self._rows_by_bucket[bucket]

    def rows_of_faces(self, face_ids: Collection[str]) -> pl.DataFrame:
        """`MEMBERSHIP_SCHEMA` of these faces in any bucket, by name, bucket and face_id."""
        rows: list[tuple[Any, ...]] = []
        for some in in_batches(sorted(face_ids)):
            rows += self._rows(sa.select(*_MEMBER).where(t.members.c.face_id.in_(some)))
        found = pl.DataFrame(rows, schema=MEMBERSHIP_SCHEMA, orient="row")
        return found.sort("name", "bucket", "face_id")

    def members_of(self, bucket: str) -> dict[str, str]:
        """face_id -> live identity, of whichever bucket, that has this face of the bucket as a member; eras aside."""
        return dict(self._of_people(self.rows_of_bucket(bucket)).select("face_id", "name").iter_rows())

    def elsewhere(self, bucket: str) -> dict[str, set[str]]:
        """Identity that the bucket founded -> members that its parameters do not move: of other buckets, by rulings."""
        rows = self._rows_of(identity.name for identity in self.own(bucket, retired=True))
        return {
            name: {face for place, face, how in members if place != bucket or is_ruled(how)}
            for name, members in rows.items()
        }

    def ruled_members(self, bucket: str) -> set[str]:
        """Faces of the bucket that a ruling put into a live identity: they stay, whatever the parameters."""
        rows = self.rows_of_bucket(bucket)
        rows = rows.filter(pl.col("joined_by").str.starts_with(MARK) | pl.col("joined_by").str.starts_with(RULED))
        live = [name for name, identity in self.named(rows["name"].unique()).items() if identity.live]
        return set(rows.filter(pl.col("name").is_in(live))["face_id"])

    def copies(self, bucket: str, face_ids: Collection[str]) -> dict[str, str]:
        """face_id -> most trusted live identity that has this face as a member through other buckets; eras aside."""
        rows = self._of_people(self.rows_of_faces(face_ids)).filter(pl.col("bucket") != bucket)
        people = sorted(self.named(rows["name"].unique()).values(), key=by_trust)
        rank = {person.name: place for place, person in enumerate(people)}
        found: dict[str, str] = {}
        for face_id, name in rows.select("face_id", "name").iter_rows():
            if face_id not in found or rank[name] < rank[found[face_id]]:
                found[face_id] = name
        return found

    def faces_of_people(self, face_ids: Collection[str]) -> set[str]:
        """Those of these faces that are members of a live identity through any bucket, eras aside."""
        return set(self._of_people(self.rows_of_faces(face_ids))["face_id"])

    def digests(self, names: Iterable[str]) -> dict[str, str | None]:
        """Name -> digest that the faceset's manifest must have."""
        query = sa.select(t.identities.c.name, t.identities.c.manifest_sha256)
        found: dict[str, str | None] = {}
        for some in in_batches(sorted(set(names))):
            rows = self._rows(query.where(t.identities.c.name.in_(some)))
            found.update((str(row[0]), row[1] and str(row[1])) for row in rows)
        return found

    def adopted_among(self, names: Iterable[str]) -> set[str]:
        """Those of these names that came from a legacy library."""
        found: set[str] = set()
        for some in in_batches(sorted(set(names))):
            found.update(
                str(row[0]) for row in self._rows(sa.select(t.adopted.c.name).where(t.adopted.c.name.in_(some)))
            )
        return found

    @cached_property
    def redirects(self) -> Mapping[str, str]:
        """Merged name -> the identity that it leads to, chains followed to their end. An era leads to a person."""
        keeper = t.tombstones.c.merged_into
        rows = self._rows(sa.select(t.tombstones.c.name, keeper).where(keeper.is_not(None)))
        keeper_of = {str(row[0]): str(row[1]) for row in rows}
        found = {}
        for name in keeper_of:
            end = name
            while end in keeper_of:
                end = keeper_of[end]
            found[name] = end
        return found

    @cached_property
    def closed_by_rulings(self) -> frozenset[str]:
        """Names that rulings put out of use; no run brings them back."""
        query = sa.select(t.tombstones.c.name).where(t.tombstones.c.reason.in_(sorted(OF_RULINGS)))
        return frozenset(str(row[0]) for row in self._rows(query))

    def changed_since(self, state: State) -> list[Identity] | None:
        """Identities that differ from those of an older state, and eras whose parent does, by age.

        None if that cannot be said: another registry's state, or an older release has published in between.
        """
        if not self._follows(state):
            return None
        if state == self.state:
            return []
        changed = t.identities.c.changed > state.generation
        names = sa.select(t.identities.c.name).where(changed)
        found = self._read(_identities().where(changed | t.identities.c.parent.in_(names)).order_by(*_AGE))
        self._named.update((identity.name, identity) for identity in found)
        return found

    def names_changed_since(self, state: State) -> set[str] | None:
        """Names of identities and tombstones that differ from those of an older state; None as `changed_since`."""
        identities = self.changed_since(state)
        if identities is None:
            return None
        if state == self.state:
            return set()
        stones = self._rows(sa.select(t.tombstones.c.name).where(t.tombstones.c.changed > state.generation))
        return {*(identity.name for identity in identities), *(str(row[0]) for row in stones)}

    def _follows(self, state: State) -> bool:
        """Whether this release made every generation from that state to this one."""
        if state.mark is None or state == self.state:
            return state.mark is not None
        table = t.generations
        query = sa.select(table.c.generation, table.c.mark).where(table.c.generation >= state.generation)
        known: dict[int, str] = dict(self._rows(query))
        is_whole = known.keys() >= set(range(state.generation, self.generation + 1))
        return is_whole and known.get(state.generation) == state.mark

    def _brought_up(self) -> tuple[Identity, ...] | None:
        """All identities of the older snapshot with those that changed since; None without one."""
        if self._before is None or self._before._all is None:
            return None
        changed = self.changed_since(self._before.state)
        if changed is None:
            return None
        by_name = {identity.name: identity for identity in self._before._all}
        by_name.update((identity.name, identity) for identity in changed)
        return tuple(sorted(by_name.values(), key=lambda identity: (identity.founded, identity.name)))

    def _of_people(self, rows: pl.DataFrame) -> pl.DataFrame:
        names = self.named(rows["name"].unique())
        people = [name for name, identity in names.items() if identity.live and not identity.is_era]
        return rows.filter(pl.col("name").is_in(people))

    def _rows_of(self, names: Iterable[str]) -> dict[str, list[tuple[str, str, str]]]:
        """Name -> (bucket, face_id, how it joined) by bucket and face_id."""
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self._rows_by_name]
        self._rows_by_name.update((name, []) for name in missing)
        for some in in_batches(missing):
            query = sa.select(*_MEMBER).where(t.members.c.name.in_(some)).order_by(*_MEMBER[:3])
            for row in self._rows(query):
                self._rows_by_name[str(row[0])].append((str(row[1]), str(row[2]), str(row[3])))
        return {name: self._rows_by_name[name] for name in wanted}

    def _read(self, query: sa.Select[Any]) -> list[Identity]:
        return list(_identities_in(self._rows(query)))

    def _rows(self, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


def in_batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many values at a time as an IN may have."""
    for start in range(0, len(values), MOST_IN_A_QUERY):
        yield values[start : start + MOST_IN_A_QUERY]


_MEMBER = tuple(t.members.c[name] for name in MEMBERSHIP_SCHEMA.names())
_AGE = (t.identities.c.founded, t.identities.c.name)


def _identities() -> sa.Select[Any]:
    """The columns of `Identity`, in its order."""
    own, parent = t.identities, t.identities.alias("parent")
    unlabelled = own.c.kind.in_(ERA_KINDS) & (sa.func.coalesce(own.c.label, "") == "")
    label = sa.case((unlabelled, parent.c.label), else_=own.c.label)
    columns = (
        own.c.identity_id, own.c.name, own.c.number, own.c.kind, own.c.parent, own.c.bucket, label, own.c.live,
        own.c.founded, own.c.model_id, own.c.centroid,
    )  # fmt: skip
    return sa.select(*columns).select_from(own.outerjoin(parent, own.c.parent == parent.c.name))


def _identities_in(rows: Iterable[tuple[Any, ...]]) -> Iterator[Identity]:
    for row in rows:
        yield Identity(*(*row[:-1], None if row[-1] is None else np.frombuffer(row[-1], np.float32)))

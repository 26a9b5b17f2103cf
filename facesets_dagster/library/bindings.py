"""What the rulings in force say of the faces of a bucket, read from the registry."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import polars as pl

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.bound_faces import BoundFaces, ignored_people
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.projection import standing_for
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruled import made_by_splits, names_of_parts
from facesets_dagster.registry.rulings import rulings_in_force, rulings_written
from facesets_dagster.registry.snapshot import Snapshot


@dataclass(frozen=True)
class _Said:
    """What the rulings in force say of all faces, at one state of the library."""

    written: int
    """How often rulings had been written."""
    known: Snapshot
    model: tuple[str, int]
    """Id and length of embeddings."""
    rulings: tuple[Ruling, ...]
    people: "_People"
    faces: BoundFaces
    named: Mapping[str, frozenset[str]]
    """Bucket -> face_ids that rulings name there."""
    ignored: IgnoredPeople

    @cached_property
    def all_named(self) -> frozenset[str]:
        """face_ids that rulings name, in whichever bucket."""
        return frozenset().union(*self.named.values())


_RULINGS: WeakKeyDictionary[Registry, tuple[int, tuple[Ruling, ...]]] = WeakKeyDictionary()
_SAID: WeakKeyDictionary[Registry, _Said] = WeakKeyDictionary()
"""As read last: once by a process that runs many steps or buckets, and again after rulings or the library changed."""


def bindings_of(library: Library, bucket: str, model_id: str, dim: int, face_ids: Collection[str] = ()) -> Bindings:
    """What rulings say of the faces of a bucket; `NO_BINDINGS` where there is no ruling.

    `face_ids`: of the bucket; a ruling speaks of every copy of its photos, in whichever bucket.
    """
    written = rulings_written(library.registry)
    if not written:
        return NO_BINDINGS
    known, model, said = library.snapshot(), (model_id, dim), _SAID.get(library.registry)
    if said is None or (said.written, said.model) != (written, model) or said.known is not known:
        said = _SAID[library.registry] = _said(library, written, known, model)
    if not said.rulings:
        return NO_BINDINGS
    members = _ignored_members(known, said.people, bucket, said.rulings)
    here = said.named.get(bucket, frozenset()) | said.all_named.intersection(face_ids)
    faces = said.faces.with_ignored(members)
    here |= faces.ignored.keys() & set(known.rows_of_bucket(bucket)["face_id"])
    return faces.of_bucket(here, said.rulings, said.ignored)


def _said(library: Library, written: int, known: Snapshot, model: tuple[str, int]) -> _Said:
    rulings = known_rulings(library.registry)
    people = _People(known, rulings)
    made = names_of_parts(made_by_splits(library.registry))
    live = {pair: name for pair, name in made.items() if people.is_live(name)}
    faces, named = BoundFaces(people.person_of, people.owners, live, model[0]), dict[str, set[str]]()
    for ruling in rulings:
        faces.add(ruling)
        for face in ruling.faces:
            named.setdefault(face.bucket, set()).add(face.face_id)
    in_buckets = {bucket: frozenset(ids) for bucket, ids in named.items()}
    return _Said(written, known, model, rulings, people, faces, in_buckets, ignored_people(rulings, *model))


def known_rulings(registry: Registry) -> tuple[Ruling, ...]:
    """The rulings in force, oldest first; read again only after some were written."""
    written = rulings_written(registry)
    if not written:
        return ()
    known = _RULINGS.get(registry)
    if known is None or known[0] != written:
        known = _RULINGS[registry] = (written, rulings_in_force(registry))
    return known[1]


class _People:
    """Who stands in the roles of rulings now."""

    def __init__(self, known: Snapshot, rulings: Sequence[Ruling]) -> None:
        self._known = known
        faces = sorted({face.face_id for ruling in rulings for face in ruling.faces})
        rows = known.rows_of_faces(faces)
        named = {name for ruling in rulings for name in ruling.names.values()}
        ends = {known.redirects.get(name, name) for name in named}
        identities = known.named([*rows["name"].unique(), *named, *ends])
        self._live: dict[str, Identity] = {name: one for name, one in identities.items() if one.live and not one.is_era}
        self.owners: Mapping[str, set[str]] = _owners(rows.filter(pl.col("name").is_in(list(self._live))))
        self._out = {name: one for name, one in identities.items() if not one.live and not one.is_era}
        self._had: Mapping[str, set[str]] = _owners(rows.filter(pl.col("name").is_in(list(self._out))))

    def is_live(self, name: str) -> bool:
        """Whether it is a person in use."""
        identity = self._live.get(name) or self._known.named([name]).get(name)
        return identity is not None and identity.live

    def out_of_use(self, ruling: Ruling) -> str | None:
        """The one out of use whom a ruling ignores: by its name then, or by the faces that stood for it."""
        named = ruling.identity if ruling.identity in self._out else None
        return standing_for(ruling.of_role(STANDS_FOR), named, lambda face: self._had.get(face, ()), self._out)

    def person_of(self, ruling: Ruling, role: str) -> str | None:
        """As `identities.projection` finds it, in the library as it is shown."""
        name = ruling.names.get(role)
        named = None if name is None else self._known.redirects.get(name, name)
        in_use = named if named in self._live else None
        return standing_for(ruling.of_role(role), in_use, lambda face: self.owners.get(face, ()), self._live)


def _owners(rows: pl.DataFrame) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for face_id, name in rows.select("face_id", "name").iter_rows():
        found.setdefault(face_id, set()).add(name)
    return found


def _ignored_members(known: Snapshot, people: _People, bucket: str, rulings: Sequence[Ruling]) -> dict[str, str]:
    """Faces of the bucket that were members of people who are ignored, and are nobody's -> the ruling."""
    by_name = {
        name: one.ruling_id
        for one in rulings
        if one.kind == "ignore" and one.names and (name := people.out_of_use(one)) is not None
    }
    if not by_name:
        return {}
    rows = known.rows_of_bucket(bucket).filter(pl.col("name").is_in(list(by_name)))
    taken = known.members_of(bucket)
    return {
        face_id: by_name[name] for name, face_id in rows.select("name", "face_id").iter_rows() if face_id not in taken
    }

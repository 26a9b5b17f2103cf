"""The library as it stands, with and without rulings: what a plan that obeys them is made from."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Merge, Pair, Rows
from facesets_dagster.identities.projection import OF_RULINGS, Base, Projection, project
from facesets_dagster.identities.projections import Projected, Projections
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.library.next_number import next_number
from facesets_dagster.library.numbering import faceset_name
from facesets_dagster.registry import ruled
from facesets_dagster.registry.merges import merges_in_force
from facesets_dagster.registry.registry import Registry, Tombstone
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force
from facesets_dagster.registry.schema import State


@dataclass(frozen=True)
class Standing:
    """The registry as it is when a plan is made."""

    identities: Mapping[str, Identity]
    members: Mapping[str, Rows]
    """Of all identities; of one out of use, as it had them last."""
    unruled: Mapping[str, Rows]
    """Of touched identities: as runs alone would have them."""
    touched: frozenset[str]
    merges: tuple[Merge, ...]
    """That are true in the library."""
    tombstones: Mapping[str, Tombstone]
    digests: Mapping[str, str | None]
    """Name -> digest of the faceset's manifest; None for a legacy one that was never published here."""
    records: Mapping[str, ruled.StoodBefore]
    made: Sequence[ruled.Made]
    rulings: tuple[Ruling, ...]
    """In force, oldest first."""
    pending: tuple[Ruling, ...]
    """Rulings that the library does not obey yet, or obeys though they are taken back."""

    @cached_property
    def base(self) -> Base:
        """The library without rulings."""
        members, labels = dict[str, Rows](), dict[str, str | None]()
        for name, identity in self.identities.items():
            touched = name in self.touched
            if identity.live or (touched and self._is_out_by_ruling(name)):
                members[name] = self.unruled.get(name, {}) if touched else self.members.get(name, {})
            if not identity.is_era:
                record = self.records.get(name) if touched else None
                labels[name] = record.label if record else identity.label
        made = ruled.names_of_parts(self.made)
        shown = {name: self.members.get(name, {}) for name in self.touched}
        return Base(self.identities, members, labels, made, shown)

    def projected(self, rulings: Sequence[Ruling], number: int) -> Projection:
        """The library with these rulings; identities that their splits make take the numbers from `number` on."""
        return project(with_names(self.base, rulings, number), rulings)

    def with_rulings(self, rulings: tuple[Ruling, ...], pending: tuple[Ruling, ...]) -> "Standing":
        """The same library with other rulings in force and other ones waiting."""
        found = replace(self, rulings=rulings, pending=pending)
        vars(found).update(base=self.base)  # it depends on no ruling
        return found

    def _is_out_by_ruling(self, name: str) -> bool:
        stone = self.tombstones.get(name)
        return stone is not None and stone.reason in OF_RULINGS


def with_names(base: Base, rulings: Sequence[Ruling], number: int) -> Base:
    """The base with a name for every identity that a split of these rulings makes."""
    made = dict(base.made)
    for place in unnamed_parts(base, rulings):
        made[place] = faceset_name(number)
        number += 1
    return replace(base, made=made)


def unnamed_parts(base: Base, rulings: Iterable[Ruling]) -> list[tuple[str, str]]:
    """Ruling and part of the identities that splits make and that have no name yet, in the order of their numbers."""
    splits = (ruling for ruling in rulings if ruling.kind == "split")
    return [
        (ruling.ruling_id, part)
        for ruling in splits
        for part in ruling.parts()[1:]
        if (ruling.ruling_id, part) not in base.made
    ]


def standing(library: Library) -> Standing:
    """The registry as it is now: read as a whole once for each publication, and rulings as they are written."""
    registry = library.registry
    with _LOCK:
        state = registry.state()
        rulings = all_rulings(registry)
        in_force = tuple(one for one in rulings if one.state == "in_force")
        pending = tuple(one for one in rulings if (one.state == "in_force") != one.published)
        known = _KNOWN.get(registry)
        if known is None or known.state != state or state.mark is None:
            known = _KNOWN[registry] = _Known(state, _read(registry))
        return known.standing.with_rulings(in_force, pending)


@dataclass(frozen=True)
class _Known:
    """What was read of a registry last; only rulings have changed since."""

    state: State
    standing: Standing

    @cached_property
    def projections(self) -> Projections:
        """Of its base."""
        return Projections(self.standing.base)


_LOCK = threading.Lock()
_KNOWN: "WeakKeyDictionary[Registry, _Known]" = WeakKeyDictionary()


def _read(registry: Registry) -> Standing:
    members: dict[str, Rows] = {}
    for name, bucket, face_id, how in registry.membership_rows():
        members.setdefault(name, {})[face_id] = (bucket, how)
    return Standing(
        {identity.name: identity for identity in registry.identities()},
        members,
        ruled.unruled_members(registry),
        frozenset(ruled.touched_identities(registry)),
        merges_in_force(registry),
        {stone.name: stone for stone in registry.tombstones()},
        registry.manifest_digests(),
        ruled.stood_before(registry),
        ruled.made_by_splits(registry),
        (),
        (),
    )


def two_people(library: Library) -> set[Pair]:
    """Pairs of identities, in order, of which a ruling in force says that they are two people."""
    if not any(ruling.kind == "different" for ruling in rulings_in_force(library.registry)):
        return set()
    return set(projected_now(library)[1].apart)


def projected_now(library: Library, rulings: Sequence[Ruling] | None = None) -> tuple[Standing, Projection]:
    """The library as it stands, and as a publication of the rulings in force, or of others, would leave it."""
    now = standing(library)
    if rulings is None:
        return now, projected(library, now).projection
    return now, now.projected(rulings, next_number(library))


def projected(library: Library, now: Standing) -> Projected:
    """What a publication of the rulings in force would leave; only what changed since the last time is made anew."""
    unnamed = unnamed_parts(now.base, now.rulings)
    named = with_names(now.base, now.rulings, next_number(library)) if unnamed else now.base
    with _LOCK:
        known = _KNOWN.get(library.registry)
        of_known = known is not None and known.standing.base is now.base
        return (known.projections if known and of_known else Projections(now.base)).of(now.rulings, named.made)

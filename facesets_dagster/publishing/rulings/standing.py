"""The library as it stands, with and without rulings: what a plan that obeys them is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Merge, Pair, Rows
from facesets_dagster.identities.projection import OF_RULINGS, Base, Projection, project
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.library.next_number import next_number
from facesets_dagster.library.numbering import faceset_name
from facesets_dagster.registry import ruled
from facesets_dagster.registry.merges import merges_in_force
from facesets_dagster.registry.registry import Tombstone
from facesets_dagster.registry.rulings import rulings_in_force, unpublished_rulings


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

    def _is_out_by_ruling(self, name: str) -> bool:
        stone = self.tombstones.get(name)
        return stone is not None and stone.reason in OF_RULINGS


def with_names(base: Base, rulings: Sequence[Ruling], number: int) -> Base:
    """The base with a name for every identity that a split of these rulings makes."""
    made, identities = dict(base.made), dict(base.identities)
    for ruling in rulings:
        for part in ruling.parts()[1:] if ruling.kind == "split" else ():
            if (ruling.ruling_id, part) not in made:
                made[ruling.ruling_id, part] = faceset_name(number)
                number += 1
    return replace(base, identities=identities, made=made)


def standing(library: Library) -> Standing:
    """Read from the registry."""
    registry = library.registry
    members: dict[str, Rows] = {}
    for name, bucket, face_id, how in registry.memberships().iter_rows():
        members.setdefault(name, {})[face_id] = (bucket, how)
    return Standing(
        {identity.name: identity for identity in registry.identities()},
        {name: dict(sorted(rows.items())) for name, rows in members.items()},
        ruled.unruled_members(registry),
        frozenset(ruled.touched_identities(registry)),
        merges_in_force(registry),
        {stone.name: stone for stone in registry.tombstones()},
        registry.manifest_digests(),
        ruled.stood_before(registry),
        ruled.made_by_splits(registry),
        rulings_in_force(registry),
        unpublished_rulings(registry),
    )


def two_people(library: Library) -> set[Pair]:
    """Pairs of identities, in order, of which a ruling in force says that they are two people."""
    if not any(ruling.kind == "different" for ruling in rulings_in_force(library.registry)):
        return set()
    return set(projected_now(library)[1].apart)


def projected_now(library: Library, rulings: Sequence[Ruling] | None = None) -> tuple[Standing, Projection]:
    """The library as it stands, and as a publication of the rulings in force, or of others, would leave it."""
    now = standing(library)
    return now, now.projected(now.rulings if rulings is None else rulings, next_number(library))

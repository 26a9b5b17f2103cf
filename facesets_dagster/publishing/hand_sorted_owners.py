"""Identities that a hand-sorted folder may assert again: people of folders, adopted ones, keepers of their merges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.hand_sorted import HandSorted
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.matching import match_by_overlap
from facesets_dagster.identities.merging import MARK, is_marked, whose
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import HAND_SORTED, LEGACY
from facesets_dagster.registry.merges import redirects


@dataclass(frozen=True)
class KnownPeople:
    """As the registry has them."""

    everybody: Mapping[str, Identity]
    """By name; merged identities are among them, because their folders still exist."""
    live: Mapping[str, Identity]
    """Live ones, and keepers of the others."""
    leads_to: Mapping[str, str]
    """Merged name -> keeper, to the end of the way."""
    members: Mapping[str, Mapping[str, str]]
    """Name -> face_id -> how it joined; of merged identities too, unchanged."""

    def own_members(self) -> dict[str, dict[str, str]]:
        """Name -> members that are its own: a keeper's without those of a merge, which are the merged one's."""
        found = {
            name: {face: how for face, how in self.members.get(name, {}).items() if not is_marked(how)}
            for name in self.everybody
        }
        for name in self.live:
            for face, how in self.members.get(name, {}).items():
                if whose(how, name) in found:
                    found[whose(how, name)].setdefault(face, how)
        return found

    def person_of(self, identity: Identity | None) -> Identity | None:
        """The live identity of one of `everybody`, the keeper of a merged one; None if there is none."""
        return None if identity is None else self.live.get(self.leads_to.get(identity.name, identity.name))

    def how_joined(self, asserter: str | None, person: Identity | None) -> str:
        """How the faces of a folder join the person: `asserter` is the identity that the folder asserts."""
        return "hand_sorted" if asserter is None or person is None or asserter == person.name else MARK + asserter


def known_people(library: Library) -> KnownPeople:
    """Read from the registry."""
    identities = {identity.name: identity for identity in library.registry.identities() if not identity.is_era}
    leads_to = {name: keeper for name, keeper in redirects(library.registry).items() if name in identities}
    ours = {name: identity for name, identity in identities.items() if identity.bucket in (HAND_SORTED, LEGACY)}
    everybody = {name: identity for name, identity in ours.items() if identity.live or name in leads_to}
    ends = {leads_to.get(name, name) for name in everybody}
    live = {name: identities[name] for name in sorted(ends) if identities[name].live}
    return KnownPeople(everybody, live, leads_to, library.registry.members([*everybody, *live]))


def owners_of_folders(
    order: Sequence[str], people: HandSorted, known: KnownPeople, second_distance: float
) -> dict[str, Identity]:
    """Folder -> the identity that it asserted before: the one with most of its faces, else the one of its name.

    A name alone is not enough: the folder's person must look like the identity.
    """
    members = known.own_members()
    by_number = {identity.number: identity for identity in known.everybody.values()}
    clusters = {place: set(people.members[folder]) for place, folder in enumerate(order)}
    sets = {number: set(members.get(identity.name, {})) for number, identity in by_number.items()}
    owner = {order[place]: by_number[number] for place, number in match_by_overlap(clusters, sets).items()}
    middle = {person.folder: person.centroid for person in people.people if person.centroid is not None}
    taken = {identity.name for identity in owner.values()}
    for folder in order:
        for _, identity in sorted(known.everybody.items()):
            alike = (
                identity.label == folder
                and identity.bucket == HAND_SORTED  # an adopted person of that name may be another person
                and identity.name not in taken
                and identity.centroid is not None
                and cosine_distance(identity.centroid[None], middle[folder][None])[0, 0] <= second_distance
            )
            if folder not in owner and alike:
                owner[folder] = identity
                taken.add(identity.name)
    return owner

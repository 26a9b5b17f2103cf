"""The library as people are to see it: with the rulings in force, whether or not they are published yet."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from facesets_dagster.errors import LibraryError
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.standing import projected_now
from facesets_dagster.registry.rulings import rulings_written

_SEEN_DIGITS = 8


@dataclass(frozen=True)
class ReviewedPerson:
    """A person in use, as the rulings in force leave them."""

    name: str
    label: str | None
    kind: str
    bucket: str | None
    """The key of the bucket that founded them."""
    faces: int
    seen: str
    """Digest of members and label: another one means that the person is not what somebody saw."""
    waits: bool
    """A ruling that is not published yet has a hand in it."""


@dataclass(frozen=True)
class Reviewed:
    """Everybody at one moment."""

    state: str
    """See `state_of`."""
    people: tuple[ReviewedPerson, ...]
    """By number."""
    members: Mapping[str, Rows]
    waiting: tuple[Ruling, ...]
    """Rulings that the library does not obey yet, or obeys though they are taken back."""
    leads: Mapping[str, str]
    """Merged name -> the person that it is part of."""
    identities: Mapping[str, Identity]
    """Every one on record, eras and those out of use included."""
    apart: frozenset[tuple[str, str]]
    """Pairs that are two people."""

    @cached_property
    def by_name(self) -> dict[str, ReviewedPerson]:
        """The people by name."""
        return {person.name: person for person in self.people}

    @cached_property
    def faces(self) -> frozenset[str]:
        """face_ids that somebody has."""
        return frozenset(face for person in self.people for face in self.members[person.name])

    def person(self, name: str) -> ReviewedPerson:
        """The person that a name leads to. Raises `LibraryError` if there is none in use."""
        found = self.by_name.get(self.leads.get(name, name))
        if found is None:
            raise LibraryError(f"{name} is not in use. Expected the name of a person of this library.")
        return found


def state_of(library: Library) -> str:
    """Two equal texts mean the same library with the same rulings; two queries."""
    state = library.registry.state()
    return f"{state.generation}.{(state.mark or '')[:8]}.{rulings_written(library.registry)}"


def reviewed(library: Library) -> Reviewed:
    """Read from the registry, as it is now."""
    state = state_of(library)
    now, after = projected_now(library)
    names = {name for ruling in now.pending for name in ruling.names.values()}
    faces = {face.face_id for ruling in now.pending for face in ruling.of_role("face")}
    people = []
    for name, rows in after.members.items():
        known = now.identities.get(name)
        origin = known or now.identities.get(after.made.get(name, ""))
        if origin is None or (known is not None and known.is_era):
            continue
        label = after.labels.get(name, known.label if known else None)
        waits = known is None or not known.live or name in names or (bool(faces) and not faces.isdisjoint(rows))
        seen = seen_digest(rows, label)
        people.append(ReviewedPerson(name, label, origin.kind, origin.bucket, len(rows), seen, waits))
    return Reviewed(
        state,
        tuple(sorted(people, key=lambda one: (_number(one.name, now.identities), one.name))),
        after.members,
        now.pending,
        {merge.merged: after.leads_to(merge.merged) for merge in after.merges},
        now.identities,
        after.apart,
    )


def seen_digest(rows: Rows, label: str | None) -> str:
    """A short digest of what a page shows of a person."""
    text = "\n".join([label or "", *sorted(rows)])
    return hashlib.sha256(text.encode()).hexdigest()[:_SEEN_DIGITS]


def _number(name: str, identities: Mapping[str, Identity]) -> int:
    known = identities.get(name)
    return known.number if known else 1 << 62  # of a split that is not published: after all others

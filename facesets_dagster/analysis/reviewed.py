"""The library as people are to see it: with the rulings in force, whether or not they are published yet."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from facesets_dagster.errors import LibraryError
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows
from facesets_dagster.identities.projection import Projection
from facesets_dagster.identities.projections import Owners, Projected
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.standing import Standing, projected, standing
from facesets_dagster.registry.rulings import rulings_written

_SEEN_DIGITS = 8
_LAST = 1 << 62


@dataclass(frozen=True)
class ReviewedPerson:
    """A person in use, as the rulings in force leave them."""

    name: str
    number: int
    """By which people are listed; of a split that is not published yet after all others."""
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
    projected: Projected
    """What it was made of."""

    @cached_property
    def by_name(self) -> dict[str, ReviewedPerson]:
        """The people by name."""
        return {person.name: person for person in self.people}

    @property
    def owners(self) -> Owners:
        """The faces that somebody has."""
        return self.projected.owners

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


def reviewed(library: Library, before: Reviewed | None = None) -> Reviewed:
    """The library as it is now. `before`: as it was; people of the same publication whom no ruling touched since are
    taken over.
    """
    state = state_of(library)
    now = standing(library)
    found = projected(library, now)
    after, known, pending = found.projection, dict[str, ReviewedPerson](), _Pending.of(now.pending)
    again = pending.names
    if before is not None and before.identities is now.identities:
        known = before.by_name
        again |= found.changed_since(before.projected) | {one.name for one in before.people if one.waits}
    people = []
    for name, rows in after.members.items():
        person = known[name] if name in known and name not in again else _person(name, rows, now, after, pending)
        if person is not None:
            people.append(person)
    return Reviewed(
        state,
        tuple(sorted(people, key=attrgetter("number", "name"))),
        after.members,
        now.pending,
        {merge.merged: after.leads_to(merge.merged) for merge in after.merges},
        now.identities,
        after.apart,
        found,
    )


@dataclass(frozen=True)
class _Pending:
    """Whom rulings name that are not published yet."""

    names: frozenset[str]
    faces: frozenset[str]

    @classmethod
    def of(cls, rulings: tuple[Ruling, ...]) -> "_Pending":
        names = frozenset(name for ruling in rulings for name in ruling.names.values())
        return cls(names, frozenset(face.face_id for ruling in rulings for face in ruling.of_role("face")))


def _person(name: str, rows: Rows, now: Standing, after: Projection, pending: _Pending) -> ReviewedPerson | None:
    """Somebody in use; None of an era."""
    known = now.identities.get(name)
    origin = known or now.identities.get(after.made.get(name, ""))
    if origin is None or (known is not None and known.is_era):
        return None
    label = after.labels.get(name, known.label if known else None)
    waits = known is None or not known.live or name in pending.names or not pending.faces.isdisjoint(rows)
    seen = seen_digest(rows, label)
    number = known.number if known else _LAST
    return ReviewedPerson(name, number, label, origin.kind, origin.bucket, len(rows), seen, waits)


def seen_digest(rows: Rows, label: str | None) -> str:
    """A short digest of what a page shows of a person."""
    text = "\n".join([label or "", *sorted(rows)])
    return hashlib.sha256(text.encode()).hexdigest()[:_SEEN_DIGITS]

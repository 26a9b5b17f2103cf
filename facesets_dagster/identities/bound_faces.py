"""From rulings to what they say of the faces of one bucket. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from facesets_dagster.identities.bindings import Bindings, Faces, IgnoredPeople
from facesets_dagster.identities.projection import PART
from facesets_dagster.identities.ruling_closure import Together, one_person
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, RulingFace

PersonOf = Callable[[Ruling, str], str | None]
"""Ruling and role -> the live identity that stands in the role now."""


@dataclass
class BoundFaces:
    """Collects what rulings say; `of_bucket` gives it for the faces of one bucket."""

    person_of: PersonOf
    owners: Mapping[str, AbstractSet[str]]
    """face_id -> live identities that have it."""
    made: Mapping[tuple[str, str], str]
    """Ruling and part of a split -> live identity that it made."""
    model_id: str
    belongs: dict[str, str] = field(default_factory=dict)
    refused: dict[str, set[str]] = field(default_factory=dict)
    apart: set[tuple[str, str]] = field(default_factory=set)
    ignored: dict[str, str] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    """Faces of which a ruling said whose they are."""
    stays: dict[str, str] = field(default_factory=dict)
    """Members whom a ruling says to be one person with others."""

    def with_ignored(self, members: Mapping[str, str]) -> "BoundFaces":
        """The same where these faces, face_id -> ruling, were members of people who are ignored."""
        others = {face: ruling for face, ruling in members.items() if face not in self.assigned}
        return replace(self, ignored={**others, **self.ignored})

    def add(self, ruling: Ruling) -> None:
        """Adds what one ruling says; they come oldest first."""
        if ruling.kind == "assign":
            self._assigned(ruling)
        elif ruling.kind == "not_person":
            self._not_person(ruling)
        elif ruling.kind == "same":
            self._same(ruling)
        elif ruling.kind == "different":
            self._sides(ruling, [(role, self.person_of(ruling, role)) for role in ("a", "b")])
        elif ruling.kind == "split":
            self._split(ruling)
        elif ruling.kind in ("ignore", "not_a_face"):
            self.ignored.update(dict.fromkeys(self._ids(ruling, "face"), ruling.ruling_id))

    def _assigned(self, ruling: Ruling) -> None:
        """Says nothing where the person is not in use: faces that were assigned to somebody who is ignored now are
        ignored as all others of that person.
        """
        person = self.person_of(ruling, STANDS_FOR)
        if person is None:
            return
        for face in self._ids(ruling, "face"):
            self.assigned.add(face)
            self.ignored.pop(face, None)
            self.refused.get(face, set()).discard(person)
            self.belongs[face] = person

    def _not_person(self, ruling: Ruling) -> None:
        person = self.person_of(ruling, STANDS_FOR)
        if person is None:
            return
        faces = self._ids(ruling, "face")
        for face in faces:
            self.refused.setdefault(face, set()).add(person)
            if self.belongs.get(face) == person:
                del self.belongs[face]
        anchors = self._standing_for(ruling, STANDS_FOR, person)
        self._tell_apart(faces, [face for face in anchors if face not in faces])

    def _same(self, ruling: Ruling) -> None:
        """Says which members must not be taken to somebody else, away from the others that are named."""
        for role in ("a", "b"):
            person = self.person_of(ruling, role)
            if person is not None:
                had = (face for face in self._ids(ruling, role) if person in self._has(face))
                self.stays.update(dict.fromkeys(had, person))

    def _split(self, ruling: Ruling) -> None:
        first, *others = ruling.parts()
        people = [(first, self.person_of(ruling, first))]
        people += [(part, self.made.get((ruling.ruling_id, part))) for part in others]
        for part, person in people:
            for face in self._ids(ruling, part, PART + part):
                if person is not None and self.belongs.get(face) is None:
                    self.belongs[face] = person
        self._sides(ruling, people)

    def _sides(self, ruling: Ruling, people: Sequence[tuple[str, str | None]]) -> None:
        """Faces of the sides are two people's, and none is covered by another side's person."""
        sides = [(self._standing_for(ruling, role, person), person) for role, person in people]
        for (faces, person), (others, other) in combinations(sides, 2):
            self._tell_apart(faces, others)
            for these, somebody in ((faces, other), (others, person)):
                for face in these if somebody is not None else ():
                    self.refused.setdefault(face, set()).add(str(somebody))

    def _standing_for(self, ruling: Ruling, role: str, person: str | None) -> list[str]:
        """Faces of a role that are still that person's; all of them where nobody stands there."""
        faces = self._ids(ruling, role)
        if person is None:
            return faces
        return [face for face in faces if person in self.owners.get(face, ()) or self.belongs.get(face) == person]

    def _tell_apart(self, faces: Iterable[str], others: Sequence[str]) -> None:
        for face in faces:
            self.apart.update((min(face, other), max(face, other)) for other in others if other != face)

    def _ids(self, ruling: Ruling, *roles: str) -> list[str]:
        return [face.face_id for face in ruling.of_role(*roles) if face.model_id == self.model_id]

    def of_bucket(self, here: AbstractSet[str], rulings: Sequence[Ruling], people: IgnoredPeople) -> Bindings:
        """What was added, as far as it is of these faces. `rulings`: those of which free faces are one person.

        A face that is somebody's member stays so until the rulings are applied: only what keeps it there is said.
        """
        known = sorted(self.belongs.items())
        belongs = {face: name for face, name in known if face in here and name in self._has(face)}
        groups = _free_groups(rulings, here, self.owners.keys())
        inside = {pair for group in groups for pair in combinations(sorted(group), 2)}
        apart = {
            (one, other)
            for one, other in self.apart
            if one in here and other in here and not self._has(one) & self._has(other)
        }
        refused = {
            face: frozenset(names - self._has(face))
            for face, names in sorted(self.refused.items())
            if face in here and names - self._has(face)
        }
        ignored = {face: one for face, one in sorted(self.ignored.items()) if face in here and not self._has(face)}
        stays = {face: name for face, name in sorted(self.stays.items()) if face in here}
        return Bindings(groups, frozenset(apart - inside), refused, belongs, ignored, people, stays)

    def _has(self, face: str) -> AbstractSet[str]:
        """The live identities that have a face."""
        return self.owners.get(face, frozenset())


def ignored_people(rulings: Iterable[Ruling], model_id: str, dim: int) -> IgnoredPeople:
    """All who are ignored, as faces of this model stand for them."""
    known: list[tuple[Ruling, float, list[RulingFace]]] = []
    for ruling in rulings:
        faces = [
            face
            for face in ruling.of_role("exemplar")
            if face.model_id == model_id and face.embedding is not None and len(face.embedding) == dim
        ]
        reach = ruling.number("reach")
        if ruling.kind in ("ignore", "not_a_face") and faces and reach is not None:
            known.append((ruling, reach, faces))
    if not known:
        return IgnoredPeople.nobody()
    units = [unit for *_, faces in known for face in faces if (unit := face.unit()) is not None]
    whose = [place for place, (*_, faces) in enumerate(known) for _ in faces]
    return IgnoredPeople(
        tuple(ruling.ruling_id for ruling, *_ in known),
        np.array(units, np.float32),
        np.array(whose, np.int64),
        np.array([reach for _, reach, _ in known]),
        tuple(ruling.identity for ruling, *_ in known),
    )


def _free_groups(rulings: Sequence[Ruling], here: AbstractSet[str], owned: AbstractSet[str]) -> tuple[Faces, ...]:
    """Faces that are nobody's yet and are one person, two or more each."""
    links = [link for ruling in rulings if ruling.kind == "same" for link in one_person(ruling)]
    groups = [
        frozenset(name for kind, name in nodes if kind == "face" and name in here and name not in owned)
        for nodes in Together(links).groups()
    ]
    return tuple(sorted((group for group in groups if len(group) > 1), key=sorted))

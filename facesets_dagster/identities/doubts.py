"""Decisions that could have gone the other way, each as a question, with what its answer would change.

Every doubt has a number and what it was compared with. The nearer the two, the likelier is another answer: at the
threshold as likely as not, at `margin` from it no more in doubt. What an answer is expected to change is that chance
times the faces that would move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import Bindings
from facesets_dagster.identities.geometry import cosine_distance

_ROWS = 4096

KINDS = {
    "between_two": "a face about as near to another person as to its own",
    "near_join": "faces that joined a person at nearly the largest distance",
    "near_outlier": "a face about as far from its person as an outlier is",
    "same_photo": "two faces of one photo in one person",
    "few_photos": "faces near a person, left over because their own person has too few photos",
    "near_people": "two people about as near to each other as one person's parts are",
}
"""Kind of a doubt -> what it is."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One question."""

    kind: str
    faces: tuple[str, ...]
    """face_ids that would move, the first one shown."""
    identity: str
    """The person they belong to, or are near."""
    other: str | None = None
    """The other person."""
    other_face: str | None = None
    """The other face of the same photo."""
    value: float
    threshold: float
    chance: float
    """0..0.5: how likely another answer is, by how near `value` is to `threshold`."""
    moved: int
    """Faces that another answer would move."""

    @property
    def change(self) -> float:
        """Faces that an answer is expected to move."""
        return self.chance * self.moved


def is_answered(doubt: Doubt, said: Bindings) -> bool:
    """Whether rulings give the faces to somebody, or refuse one of them to a person of the question."""
    if doubt.kind == "near_people" or not doubt.faces:
        return False
    people = {doubt.identity, doubt.other}
    refused = any(people & said.refused.get(face, frozenset()) for face in doubt.faces)
    return refused or all(face in said.belongs for face in doubt.faces)


@dataclass(frozen=True)
class Margins:
    """Cosine distances 0..2: how near to its threshold a number is in doubt."""

    margin: float
    cover_distance: float
    outlier_distance: float

    def chance(self, value: float, threshold: float) -> float:
        """0.5 at the threshold, 0 at `margin` from it and beyond."""
        return max(0.0, 0.5 * (1 - abs(value - threshold) / self.margin))


@dataclass(frozen=True)
class People:
    """Those who are compared, row by row."""

    names: Sequence[str]
    families: Sequence[str]
    """A parent and its eras are one."""
    centroids: NDArray[np.float32]
    """(k, dim)."""
    sizes: Sequence[int]
    """Members."""

    @cached_property
    def rows(self) -> dict[str, int]:
        """Name -> row."""
        return {name: row for row, name in enumerate(self.names)}


def ranked(doubts: Iterable[Doubt]) -> list[Doubt]:
    """Those with a chance of another answer: most change first, then by kind and face."""
    likely = [doubt for doubt in doubts if doubt.chance > 0]
    return sorted(likely, key=lambda one: (-one.change, one.kind, one.identity, one.other or "", one.faces))


def of_members(
    face_ids: Sequence[str], unit: NDArray[np.float32], member_of: Sequence[str], people: People, margins: Margins
) -> list[Doubt]:
    """`between_two` and `near_outlier` of members.

    `unit` (n, dim): of `face_ids`; `member_of`: name of each face's person, one of `people`.
    """
    found: list[Doubt] = []
    families = np.array(people.families, object)
    own = np.array([people.rows[name] for name in member_of], np.int64)
    for start in range(0, len(face_ids), _ROWS):
        block = slice(start, start + _ROWS)
        distance = cosine_distance(unit[block], people.centroids)
        places = np.arange(len(distance))
        mine = distance[places, own[block]].copy()
        distance[families[own[block]][:, None] == families[None]] = np.inf
        second = distance.argmin(axis=1)
        lead = distance[places, second] - mine
        near = (distance[places, second] <= margins.cover_distance + margins.margin) & (np.abs(lead) < margins.margin)
        for place in np.flatnonzero(near | (np.abs(mine - margins.outlier_distance) < margins.margin)).tolist():
            name, face_id = people.names[own[start + place]], face_ids[start + place]
            if near[place]:
                found.append(
                    _face("between_two", face_id, name, float(lead[place]), 0.0, margins, people.names[second[place]])
                )
            else:
                found.append(
                    _face("near_outlier", face_id, name, float(mine[place]), margins.outlier_distance, margins)
                )
    return found


def _face(
    kind: str, face_id: str, name: str, value: float, threshold: float, margins: Margins, other: str | None = None
) -> Doubt:
    chance = margins.chance(value, threshold)
    return Doubt(
        kind=kind,
        faces=(face_id,),
        identity=name,
        other=other,
        value=value,
        threshold=threshold,
        chance=chance,
        moved=1,
    )


def of_outlier(face_id: str, name: str, value: float, threshold: float, margins: Margins) -> Doubt:
    """A face that was set aside as an outlier."""
    return _face("near_outlier", face_id, name, value, threshold, margins)


def of_join(faces: Sequence[str], name: str, value: float, threshold: float, margins: Margins) -> Doubt:
    """Faces that came to a person by one join of the second stage."""
    chance = margins.chance(value, threshold)
    return Doubt(
        kind="near_join",
        faces=tuple(sorted(faces)),
        identity=name,
        value=value,
        threshold=threshold,
        chance=chance,
        moved=len(faces),
    )


def of_one_photo(
    face_ids: Sequence[str], unit: NDArray[np.float32], name: str, centroid: NDArray[np.float32], margins: Margins
) -> list[Doubt]:
    """Faces (n, dim) of one photo in one person: all but the one nearest to the centroid are in doubt."""
    distance = cosine_distance(unit, centroid[None])[:, 0]
    best = int(distance.argmin())
    return [
        Doubt(
            kind="same_photo",
            faces=(face_ids[row],),
            identity=name,
            other_face=face_ids[best],
            value=float(distance[row]),
            threshold=float(distance[best]),
            chance=0.5,
            moved=1,
        )
        for row in range(len(face_ids))
        if row != best
    ]


def of_left_over(faces: Sequence[str], name: str, nearest: float, margins: Margins) -> Doubt:
    """Faces of one bucket without a person of their own, the nearest of which is `nearest` from this one."""
    return Doubt(
        kind="few_photos",
        faces=tuple(faces),
        identity=name,
        value=nearest,
        threshold=margins.cover_distance,
        chance=margins.chance(nearest, margins.cover_distance),
        moved=len(faces),
    )


def of_people(
    people: People, shown: Mapping[str, str], rejected: frozenset[tuple[str, str]], margins: Margins
) -> list[Doubt]:
    """Pairs about `cover_distance` apart. `shown`: name -> a face of theirs; `rejected`: known to be two people."""
    found: list[Doubt] = []
    limit = margins.cover_distance
    for row, name in enumerate(people.names):
        distance = cosine_distance(people.centroids[row][None], people.centroids[row + 1 :])[0]
        for later in np.flatnonzero(np.abs(distance - limit) < margins.margin).tolist():
            other = people.names[row + 1 + later]
            one_family = people.families[row] == people.families[row + 1 + later]
            if one_family or (min(name, other), max(name, other)) in rejected:
                continue
            small, large = sorted((name, other), key=lambda one: (people.sizes[people.rows[one]], one))
            value = float(distance[later])
            found.append(
                Doubt(
                    kind="near_people",
                    faces=(shown[small],) if small in shown else (),
                    identity=large,
                    other=small,
                    value=value,
                    threshold=limit,
                    chance=margins.chance(value, limit),
                    moved=people.sizes[people.rows[small]],
                )
            )
    return found

"""Which faces are those of people who are ignored. Pure.

A face is theirs if two of the faces that stand for one of them are within reach, or the only one is: a single face
that happens to look alike swallows nobody. Whether somebody who is kept is nearer, the caller says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import Bindings, IgnoredPeople
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import cosine_distance

_OWN_PERCENTILE = 95
_SLACK = 0.1
"""Added to the distances between its own exemplars: new photos are a little further off than those at hand."""


@dataclass(frozen=True)
class Reached:
    """Faces (n,) and who reaches them."""

    whose: NDArray[np.int64]
    """Row of `IgnoredPeople.rulings`, -1 for none."""
    distance: NDArray[np.float32]
    """To the nearest exemplar; NaN for none."""
    reach: NDArray[np.float32]
    """Of that person; NaN for none."""

    @classmethod
    def nobody(cls, count: int) -> "Reached":
        """For so many faces."""
        return cls(np.full(count, -1), np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32))

    def put(self, block: slice, found: "Reached") -> None:
        """Writes the answers for a block of faces."""
        for name, values in vars(found).items():
            getattr(self, name)[block] = values


def within_reach(unit: NDArray[np.float32], people: IgnoredPeople) -> Reached:
    """Who reaches unit rows (n, dim): the person with the nearest exemplar, the first of equal ones."""
    whose = np.full(len(unit), -1)
    nearest = np.full(len(unit), np.nan, np.float32)
    for person in range(len(people.rulings)):
        exemplars = people.exemplars[people.whose == person]
        if not len(exemplars):
            continue
        distance = np.sort(cosine_distance(unit, exemplars), axis=1)
        needed = distance[:, min(1, len(exemplars) - 1)]
        nearer = (needed <= people.reach[person]) & ~(distance[:, 0] >= nearest)
        whose[nearer], nearest[nearer] = person, distance[nearer, 0]
    reach = np.concatenate([people.reach, [np.nan]])[whose].astype(np.float32)
    return Reached(whose, nearest, reach)


def ignored_faces(
    ids: Sequence[str], unit: NDArray[np.float32], kept: NDArray[np.floating], bindings: Bindings
) -> dict[str, Verdict]:
    """face_id -> how it ends, of faces that a ruling ignores or that are those of somebody who is ignored.

    `unit` (n, dim); `kept` (n,): distance to the nearest person who is kept, who takes the face if nearer.
    """
    found, called = dict[str, Verdict](), bindings.people.called
    reached = within_reach(unit, bindings.people) if bindings.people.rulings else Reached.nobody(len(unit))
    for row, face_id in enumerate(ids):
        named, person = bindings.ignored.get(face_id), int(reached.whose[row])
        if named is not None:
            found[face_id] = Verdict("ignored", None, None, called(named), named)
        elif person >= 0 and reached.distance[row] < kept[row]:
            ruling = bindings.people.rulings[person]
            numbers = float(reached.distance[row]), float(reached.reach[row])
            found[face_id] = Verdict("ignored", *numbers, called(ruling), ruling)
    return found


def reach_of(exemplars: NDArray[np.float32], kept: NDArray[np.float32], cover_distance: float) -> float:
    """Cosine distance up to which a face is an ignored person's, from its nearest exemplar.

    The least of: the distance at which faces are covered; nearly all distances between its own exemplars (unit rows
    (n, dim)) and their nearest, with some slack; half of the distance to the nearest person who is kept (unit rows
    (k, dim)).
    """
    reach = cover_distance
    if len(exemplars) > 1:
        apart = cosine_distance(exemplars, exemplars)
        np.fill_diagonal(apart, np.inf)
        reach = min(reach, float(np.percentile(apart.min(axis=1), _OWN_PERCENTILE)) + _SLACK)
    if len(exemplars) and len(kept):
        reach = min(reach, float(cosine_distance(exemplars, kept).min()) / 2)
    return round(reach, 6)

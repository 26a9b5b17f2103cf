"""How well groups of faces agree with what is known of who they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """Agreement of groups with people, over the faces whose person is known; each 0..1."""

    bcubed_precision: float
    """Mean over faces: share of the known faces of its group that are its person's."""
    bcubed_recall: float
    """Mean over faces: share of its person's faces that are in its group."""
    pair_precision: float
    """Share of pairs in one group that are one person; 1 without any."""
    pair_recall: float
    """Share of pairs of one person that are in one group; 1 without any."""
    wrong_merges: float
    """Pairs in one group that are two people, for each pair of one person. Unlike precision it only grows with looser
    distances: while hardly anything is grouped, one wrong label is no large share."""

    @property
    def bcubed_f(self) -> float:
        """Harmonic mean of BCubed precision and recall (Amigo et al., 2009)."""
        both = self.bcubed_precision + self.bcubed_recall
        return 2 * self.bcubed_precision * self.bcubed_recall / both if both else 0.0


def score_groups(groups: NDArray[np.int64], people: NDArray[np.int64]) -> Scores:
    """Scores of groups (n,) against people (n,), both as numbers from 0; -1 in `people`: not known, not counted.

    A group of -1 is one of its own for each face.
    """
    known = people >= 0
    if not known.any():
        return Scores(1.0, 1.0, 1.0, 1.0, 0.0)
    alone = groups < 0
    groups = np.where(alone, groups.max(initial=-1) + 1 + np.cumsum(alone), groups)
    group = np.unique(groups[known], return_inverse=True)[1].astype(np.int64)
    person = np.unique(people[known], return_inverse=True)[1].astype(np.int64)
    _, which, counts = np.unique(group * (person.max() + 1) + person, return_inverse=True, return_counts=True)
    in_group, of_person = np.bincount(group), np.bincount(person)
    right = _pairs(counts)
    together, possible = _pairs(in_group), _pairs(of_person)
    return Scores(
        float((counts[which] / in_group[group]).mean()),
        float((counts[which] / of_person[person]).mean()),
        right / together if together else 1.0,
        right / possible if possible else 1.0,
        (together - right) / max(possible, 1),
    )


def _pairs(counts: NDArray[np.int64]) -> int:
    return int((counts * (counts - 1) // 2).sum())

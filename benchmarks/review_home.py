"""A made-up sitting: labelled faces in groups, the rulings on them, and a user who answers by the labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.exemplars import exemplars
from facesets_dagster.identities.scores import Scores, score_groups
from facesets_dagster.linkage import Merges, average_merges, by_size
from testing.measurements.identity_faces import BucketFaces

MOST_EXEMPLARS = 8
_FAR = 1.0
"""Groups farther apart on average are never asked about."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class User:
    """Answers by the labels, but not always."""

    wrong: float = 0.0
    unsure: float = 0.0
    seed: int = 0

    def words(self) -> str:
        """As rows of results call it."""
        if self.unsure:
            return f"{self.unsure:.0%} not sure"
        return f"{self.wrong:.0%} wrong" if self.wrong else "perfect"


class Groups:
    """The present partition of the faces, and what rulings say of it."""

    def __init__(self, faces: BucketFaces, labels: NDArray[np.int64], cut: float) -> None:
        self.unit, self.truth, self.cut = faces.unit, faces.people, cut
        self.photo = np.unique(faces.frame["sha256"].to_numpy().astype(str), return_inverse=True)[1]
        self.sharp = faces.frame["sharpness"].fill_null(100.0).to_numpy().astype(np.float64)
        self.labels = by_size(labels)
        self.apart: list[tuple[int, int]] = []
        self.together: list[Rows] = []
        self._joins: dict[bytes, tuple[Rows, Rows, float]] = {}
        self.confirmed: set[tuple[int, int]] = set()
        """First rows of the parts of joins that were said to be right."""

    def score(self) -> Scores:
        """Against the labels."""
        return score_groups(self.labels, self.truth)

    def members(self) -> list[Rows]:
        """Rows of each group, the largest first."""
        order = np.argsort(self.labels, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.labels))[:-1])

    def person(self, rows: Rows) -> int:
        """Whom most of these faces show."""
        return int(np.bincount(self.truth[rows]).argmax())

    def say(self, first: Rows, second: Rows, *, same: bool) -> None:
        """A ruling on two groups, or on two parts of one: nobody else changes."""
        if same and self.labels[first[0]] == self.labels[second[0]]:
            self.confirmed.add(key_of(first, second))
            self.together.append(np.concatenate([self._stand_for(first), self._stand_for(second)]))
        elif same:
            self.labels[second] = self.labels[first[0]]
            self.together.append(np.concatenate([self._stand_for(first), self._stand_for(second)]))
        else:
            if self.labels[first[0]] == self.labels[second[0]]:
                self.labels[second] = self.labels.max() + 1
            ours, theirs = self._stand_for(first).tolist(), self._stand_for(second).tolist()
            self.apart += [(one, other) for one in ours for other in theirs]
        self.labels = by_size(self.labels)

    def _stand_for(self, rows: Rows) -> Rows:
        return rows[exemplars(self.unit[rows], MOST_EXEMPLARS)]

    def merges(self, farthest: float) -> Merges:
        """What average linkage would join beyond the present groups; parts of rulings are never joined."""
        groups = [rows for rows in self.members() if len(rows) > 1]
        return average_merges(self.unit, farthest, together=groups, cannot_link=self._never())

    def grow(self) -> None:
        """Joins what lies within the threshold now, as the next run would: nobody is taken apart."""
        self.labels = self.merges(self.cut).labels_at(self.cut)

    def move_to(self, cut: float) -> None:
        """Another threshold: a larger one goes on from the present groups, a smaller one starts again."""
        if cut < self.cut:
            found = average_merges(self.unit, cut, together=self._must(), cannot_link=self._never())
            self.labels = found.labels_at(cut)
        self.cut = cut
        self.grow()

    def _must(self) -> list[Rows]:
        from facesets_dagster.linkage import connected

        ends = [(int(rows[0]), int(row)) for rows in self.together for row in rows[1:]]
        pairs = np.array(ends, np.int64).reshape(-1, 2)
        label = connected(len(self.unit), pairs[:, 0], pairs[:, 1])
        order = np.argsort(label, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
        return [rows for rows in groups if len(rows) > 1]

    def _never(self) -> NDArray[np.int64]:
        pairs = np.array(self.apart, np.int64).reshape(-1, 2)
        return np.asarray(pairs[self.labels[pairs[:, 0]] != self.labels[pairs[:, 1]]], np.int64)

    def distances(self, members: Sequence[Rows]) -> NDArray[np.float64]:
        """Average distances (k, k) of groups; infinite where they are never asked about."""
        means = np.array([self.unit[rows].mean(axis=0, dtype=np.float64) for rows in members])
        found = 1 - means @ means.T
        found[np.tril_indices(len(found))] = np.inf
        pairs = self.labels[self._never()]
        found[pairs.min(axis=1), pairs.max(axis=1)] = np.inf
        found[found > _FAR] = np.inf
        return np.asarray(found, np.float64)

    def last_join(self, rows: Rows) -> tuple[Rows, Rows, float]:
        """The two parts that a group of several faces was joined from last, the larger first, and their distance."""
        key = rows.tobytes()
        if key not in self._joins:
            self._joins[key] = self._parts_of(rows)
        return self._joins[key]

    def _parts_of(self, rows: Rows) -> tuple[Rows, Rows, float]:
        merges = average_merges(self.unit[rows], 2.0)
        high = float(merges.heights[-1])
        labels = Merges(merges.count, 2.0, merges.pairs[:-1], merges.heights[:-1]).labels_at(2.0)
        return rows[labels == 0], rows[labels != 0], high


def key_of(first: Rows, second: Rows) -> tuple[int, int]:
    """The first face of each."""
    return int(first.min()), int(second.min())


@dataclass
class Track:
    """What became of the score, input by input."""

    inputs: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)
    drop: float = 0.0
    """The largest fall of F after a right answer."""
    wrong: int = 0
    """Wrong answers that were kept."""
    cut: float = 0.0
    """At the end."""

    def note(self, inputs: int, groups: Groups, *, right: bool = False) -> None:
        """The score after so many inputs; `right`: what was done since the last note was right."""
        found = groups.score()
        if right and self.score:
            self.drop = max(self.drop, self.score[-1] - found.bcubed_f)
        self.inputs.append(inputs)
        self.score.append(found.bcubed_f)
        self.precision.append(found.bcubed_precision)
        self.cut = groups.cut

    def to(self, target: float) -> int | None:
        """Inputs until it first has this score; None if it never does."""
        return next((one for one, score in zip(self.inputs, self.score, strict=True) if score >= target), None)

    def at(self, inputs: int) -> float:
        """The score after so many inputs."""
        return [score for one, score in zip(self.inputs, self.score, strict=True) if one <= inputs][-1]

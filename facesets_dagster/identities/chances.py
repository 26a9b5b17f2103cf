"""How likely two groups of faces are one person, learnt from answers. Pure.

A logistic regression on the average distance between the groups, their sizes, how sharp they are, the years between
them, and whether a photo shows both. It starts from the pack's calibrated numbers, held by a few made-up answers on
that curve, and every real answer moves it: a ridge regression around the start, by Newton's method, microseconds for
hundreds of answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BEYOND_CUT = 0.08
"""From the distance of average linkage that a pack's calibration chose to that at which two groups near it are as
likely one person as not: the calibration leaves a margin for crowds. Measured in docs/decisions/review-queue.md."""
_STEEPNESS = 4.0
"""Of the start: change of the log-odds for each 0.1 of distance."""
_PSEUDO_AT = (-0.12, -0.08, -0.05, -0.02, 0.02, 0.05, 0.08, 0.12)
"""Distances from the even one at which an answer is made up."""
_PSEUDO_WEIGHT = 0.7
_START = np.array([0.0, -_STEEPNESS, 0.0, 0.0, 0.5, -8.0])
_HELD = np.array([0.05, 0.5, 2.0, 2.0, 2.0, 4.0])
"""Ridge: how strongly each weight is held at its start."""
_STEPS = 30
_MOST_YEARS = 40.0
_NEAR_COPY = 0.05
"""Cosine distance below which two faces are one picture, whatever else is known."""
_SURE = 0.001
"""No chance is nearer to 0 or 1: people err."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What is known of two groups of faces."""

    distance: float
    """Average cosine distance of a face of one and a face of the other, 0..2."""
    smaller: int
    """Faces in the smaller group."""
    sharpness: float = 1.0
    """Of the less sharp group, 0..1; 1 = sharp enough to tell."""
    years: float | None = None
    """Between their middle years; None where one of them is undated."""
    same_photo: bool = False
    """Whether a photo shows both."""


@dataclass(frozen=True)
class Told:
    """An answer on two groups of faces."""

    likeness: Likeness
    same: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Chances:
    """The curve. `started` makes the first one, `learnt` the next ones."""

    even: float
    """Cosine distance at which the start is as likely as not."""
    weights: NDArray[np.float64] = field(default_factory=_START.copy)
    """(6,): of a constant, the distance, the smaller size, blur, years and a shared photo."""
    told: tuple[Told, ...] = ()

    def same(self, likenesses: Sequence[Likeness]) -> NDArray[np.float64]:
        """Probability (n,) that they are one person."""
        return self.of_rows(rows_of(likenesses))

    def of_rows(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same of likenesses as `rows_of` gives them."""
        chance = _logistic(self._centred(rows) @ self.weights).clip(_SURE, 1 - _SURE)
        return np.where(rows[:, 1] < _NEAR_COPY, 1 - _SURE, chance)

    def learnt(self, told: Sequence[Told]) -> "Chances":
        """The curve after these answers too."""
        every = (*self.told, *told)
        pseudo = self._centred(rows_of([Likeness(distance=self.even + at, smaller=1) for at in _PSEUDO_AT]))
        rows = np.concatenate([pseudo, self._centred(rows_of([one.likeness for one in every]))])
        said = np.concatenate([_logistic(pseudo @ _START), [float(one.same) for one in every]])
        weight = np.concatenate([np.full(len(pseudo), _PSEUDO_WEIGHT), [one.weight for one in every]])
        return Chances(self.even, _fitted(rows, said, weight), every)

    def even_distance(self) -> float:
        """Cosine distance at which groups like those of the answers are as likely one person as not."""
        if self.weights[1] >= 0:  # the answers contradict each other: distance says nothing
            return self.even
        rows = rows_of([one.likeness for one in self.told])
        others = rows[:, 2:].mean(axis=0) @ self.weights[2:] if len(rows) else 0.0
        return float(self.even - 0.1 * (self.weights[0] + others) / self.weights[1])

    def _centred(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances from the even one, in tenths."""
        found = rows.copy()
        found[:, 1] = (found[:, 1] - self.even) / 0.1
        return found


def rows_of(likenesses: Sequence[Likeness]) -> NDArray[np.float64]:
    """(n, 6): a constant, the distance, log2 of the smaller size, blur, decades between them, a shared photo."""
    rows = [
        (
            1.0,
            one.distance,
            np.log2(max(one.smaller, 1)),
            1.0 - one.sharpness,
            min(one.years or 0.0, _MOST_YEARS) / 10,
            float(one.same_photo),
        )
        for one in likenesses
    ]
    return np.array(rows, np.float64).reshape(len(rows), len(_START))


def started(cluster_distance: float) -> Chances:
    """The start of a pack whose calibration chose `cluster_distance` for average linkage."""
    return Chances(cluster_distance + BEYOND_CUT)


def _logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-odds.clip(-30, 30))), np.float64)


def _fitted(rows: NDArray[np.float64], said: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (k,) of rows (n, k) that were said to be one person with probability `said` (n,)."""
    found = _START.copy()
    for _ in range(_STEPS):
        chance = _logistic(rows @ found)
        slope = rows.T @ (weight * (chance - said)) + _HELD * (found - _START)
        curve = (rows * (weight * chance * (1 - chance))[:, None]).T @ rows + np.diag(_HELD)
        step = np.linalg.solve(curve, slope)
        found -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return found

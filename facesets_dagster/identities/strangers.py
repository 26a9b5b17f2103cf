"""How near strangers come: the share of pairs of different people within a distance, continued beyond what was seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import cosine_distance, normalised

COPIES = 0.1
"""Faces of two people that are nearer than this are one photo under two names."""
_FIT_FROM, _FIT_TO, _FEWEST = 1e-2, 1e-5, 5
"""Rates between which the tail is fitted; the lower one is as far out as so many pairs lie."""
_BLOCK = 2_048


@dataclass(frozen=True)
class Strangers:
    """Rate of pairs of different people within a distance: log10 of it is a parabola in the tail."""

    pairs: int
    fit: tuple[float, float, float]
    nearest: float
    """The smallest distance that was seen."""
    farthest: float
    """Up to here the parabola was fitted."""

    def distance_at(self, rate: float) -> float:
        """The distance from 0 within which the share of pairs is `rate`; below the data by the continued tail."""
        grid = np.arange(0.0, self.farthest, 0.0005)
        within = np.flatnonzero(np.polyval(self.fit, grid) <= np.log10(rate))
        return float(grid[within[-1]]) if len(within) else 0.0


def strangers_of(distances: NDArray[np.floating]) -> Strangers:
    """The tail of distances (n,) between different people; n is at least 500."""
    near = np.sort(distances[distances > COPIES])
    count = len(near)
    first = max(_FEWEST, int(_FIT_TO * count))
    ranks = np.unique(np.geomspace(first, max(_FIT_FROM * count, 4 * first), 200).astype(int).clip(0, count - 1))
    fit = np.polyfit(near[ranks], np.log10((ranks + 1) / count), 2)
    if fit[0] > 0:  # a tail that flattens outwards is not continued as one: the straight line errs on the far side
        fit = np.concatenate([[0.0], np.polyfit(near[ranks], np.log10((ranks + 1) / count), 1)])
    return Strangers(count, (float(fit[0]), float(fit[1]), float(fit[2])), float(near[0]), float(near[ranks[-1]]))


def distances_to_groups(
    unit: NDArray[np.float32], people: NDArray[np.int64], least: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distances of faces (n, dim) to the means of people of `least` faces: of strangers, and of the people's own.

    `people` (n,): number of the person, -1 = not known. An own face is no part of the mean that it is measured to.
    """
    counts = np.bincount(people[people >= 0])
    sums = np.zeros((len(counts), unit.shape[1]))
    np.add.at(sums, people[people >= 0], unit[people >= 0])
    large = np.flatnonzero(counts >= least)
    rows = np.flatnonzero(people >= 0)
    own_rows = rows[np.isin(people[rows], large)]
    without = normalised(sums[people[own_rows]] - unit[own_rows])
    own = 1 - np.einsum("nd,nd->n", unit[own_rows], without)
    far = cosine_distance(unit[rows], normalised(sums[large]))
    return far[people[rows][:, None] != large[None]], own.astype(np.float32)


def distances_of_pairs(
    unit: NDArray[np.float32], people: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distances of all pairs of known faces: of two people, and of one."""
    rows = np.flatnonzero(people >= 0)
    unit, people = unit[rows], people[rows]
    apart, together = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for start in range(0, len(unit), _BLOCK):
        found = cosine_distance(unit[start : start + _BLOCK], unit[start:])
        above = np.triu(np.ones(found.shape, bool), 1)
        same = people[start : start + _BLOCK][:, None] == people[start:][None]
        apart.append(found[above & ~same])
        together.append(found[above & same])
    return np.concatenate(apart), np.concatenate(together)

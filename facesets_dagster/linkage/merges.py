"""What the linkage gives: the merges, and labels cut from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage.connected import connected

STARTED = -1.0
"""Height of a merge that was given: its rows start as one cluster, whatever the threshold."""


@dataclass(frozen=True)
class Merges:
    """All merges of average linkage up to a distance; those of a lower threshold are the first of them."""

    count: int
    """Rows that were given."""
    distance_threshold: float
    pairs: NDArray[np.int64]
    """(m, 2): a row of each of the two clusters that are joined."""
    heights: NDArray[np.float64]
    """(m,), ascending: average cosine distance between the two clusters, 0..2, or `STARTED`; at most
    `distance_threshold`."""

    def labels_at(self, threshold: float) -> NDArray[np.int64]:
        """Labels (n,): clusters merge while their average distance is below `threshold`, as in scikit-learn.

        Numbered by size descending, ties by their first row. A threshold above that of the merges raises
        `SettingsError`.
        """
        if threshold > self.distance_threshold:
            raise SettingsError(
                f"The merges reach up to a distance of {self.distance_threshold}, labels at {threshold} need "
                f"more. Make the merges with distance_threshold={threshold} or higher."
            )
        pairs = self.pairs[: np.searchsorted(self.heights, threshold, side="left")]
        return by_size(connected(self.count, pairs[:, 0], pairs[:, 1]))


def by_size(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Renumbers labels (n,) by cluster size descending, ties by the first row of each cluster."""
    if not len(labels):
        return np.zeros(0, np.int64)
    _, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse]

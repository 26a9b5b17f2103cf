"""What the linkage gives: the merges, and labels cut from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage.dense import FEW


@dataclass(frozen=True)
class Merges:
    """All merges of average linkage up to a distance; those of a lower threshold are the first of them."""

    count: int
    """Rows that were given."""
    distance_threshold: float
    pairs: NDArray[np.int64]
    """(m, 2): a row of each of the two clusters that are joined."""
    heights: NDArray[np.float64]
    """(m,), ascending: average cosine distance between the two clusters, 0..2; at most `distance_threshold`."""

    def labels_at(self, threshold: float) -> NDArray[np.int64]:
        """Labels (n,): clusters merge while their average distance is below `threshold`, as in scikit-learn.

        Numbered by size descending, ties by their first row. A threshold above that of the merges raises
        `SettingsError`.
        """
        if threshold > self.distance_threshold:
            raise SettingsError(
                f"The merges reach up to a distance of {self.distance_threshold}, labels at {threshold} were asked "
                f"for. Make the merges with distance_threshold={threshold} or higher."
            )
        labels = np.arange(self.count)
        pairs = self.pairs[: np.searchsorted(self.heights, threshold, side="left")]
        if self.count <= FEW:
            join_rows(pairs, labels)
        else:
            from facesets_dagster.linkage import kernels

            kernels.join_rows(pairs, labels)
        return by_size(labels)


def join_rows(pairs: NDArray[np.int64], root: NDArray[np.int64]) -> None:
    """Makes `root` (n,), at first each row itself, the smallest row of the cluster that pairs (m, 2) of rows make.

    Compiled in `kernels` for many rows.
    """
    for pair in range(len(pairs)):
        first, second = pairs[pair, 0], pairs[pair, 1]
        while root[first] != first:
            root[first] = root[root[first]]
            first = root[first]
        while root[second] != second:
            root[second] = root[root[second]]
            second = root[second]
        root[max(first, second)] = min(first, second)
    for row in range(len(root)):  # a root is never a later row
        root[row] = root[root[row]]


def by_size(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Renumbers labels (n,) by cluster size descending, ties by the first row of each cluster."""
    if not len(labels):
        return np.zeros(0, np.int64)
    _, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse]

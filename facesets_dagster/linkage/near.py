"""All pairs of rows that are similar enough, without their matrix."""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.linkage.finders import choose_finder
from facesets_dagster.linkage.graph import EdgesInMemory, find_edges
from facesets_dagster.linkage.width import WIDTH

_FEW = 2_048
"""So few rows are compared by one product: nothing to compile."""


def near_pairs(unit: NDArray[np.float32], least: float) -> NDArray[np.int32]:
    """Pairs (m, 2) of unit rows (n, dim) with a cosine similarity of at least `least`, the lower row first, sorted.

    Pairs whose similarity differs from `least` by a rounding of float32 may or may not be among them.
    """
    if len(unit) <= _FEW:
        return np.argwhere(np.triu(unit @ unit.T >= np.float32(least), 1)).astype(np.int32)
    padded = np.zeros((len(unit), -(-unit.shape[1] // WIDTH) * WIDTH), np.float32)
    padded[:, : unit.shape[1]] = unit
    store = EdgesInMemory()
    find_edges(padded, least, choose_finder(padded, least, "auto"), store, lambda done, total: None)
    found = [np.stack([rows, columns], axis=1) for rows, columns, _ in store.edges()]
    pairs = np.sort(np.concatenate([*found, np.empty((0, 2), np.int32)]), axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]

"""Rows that pairs connect, by scipy's search for connected components."""

import numpy as np
from numpy.typing import NDArray


def connected(count: int, first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.int64]:
    """Labels (count,): rows that pairs `first[i]`, `second[i]` connect share one, the smallest row among them."""
    if not len(first):
        return np.arange(count)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    return np.asarray(smallest[component], np.int64)

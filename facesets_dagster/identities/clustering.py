"""Average linkage on cosine distance, cut at a threshold.

The partition is that of scikit-learn's `AgglomerativeClustering(metric="cosine", linkage="average",
distance_threshold=...)`. Labels are made canonical, so that the same faces get the same labels in any order.
"""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import normalised


def average_linkage(embeddings: NDArray[np.floating], distance_threshold: float) -> NDArray[np.int64]:
    """Labels (n,) of rows (n, dim): clusters numbered by size descending, ties by their first row.

    Clusters merge while their average cosine distance is below `distance_threshold` (0..2).
    """
    count = len(embeddings)
    if count < 2:
        return np.zeros(count, np.int64)
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=distance_threshold
    )
    return by_size(model.fit_predict(normalised(embeddings).astype(np.float64)))


def by_size(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Renumbers labels (n,) by cluster size descending, ties by the first row of each cluster."""
    _, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse]

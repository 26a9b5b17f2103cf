"""Complete linkage of a few rows on their matrix of distances, by scikit-learn: no two of a cluster are far apart."""

import numpy as np
from numpy.typing import NDArray

APART = 10.0
"""Distance of two rows that must never be joined, beyond any distance: complete linkage keeps their clusters apart."""


def complete_linkage(distance: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Labels (n,) of a symmetric distance matrix (n, n), cut so that `threshold` itself still joins; n >= 2."""
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="complete", distance_threshold=np.nextafter(threshold, 3)
    )
    return np.asarray(model.fit_predict(distance), np.int64)

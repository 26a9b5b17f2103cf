"""Faces that stand for a person: typical first, then each as different as possible from those before. Pure."""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import centroid, cosine_distance


def exemplars(unit: NDArray[np.float32], most: int) -> list[int]:
    """Rows of unit embeddings (n, dim), `most` at most: the one nearest to the mean, then farthest first.

    Farthest-first traversal: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    if not len(unit):
        return []
    chosen = [int(cosine_distance(unit, centroid(unit)[None])[:, 0].argmin())]
    away = cosine_distance(unit, unit[chosen])[:, 0]
    while len(chosen) < min(most, len(unit)):
        away[chosen] = -1
        chosen.append(int(away.argmax()))
        away = np.minimum(away, cosine_distance(unit, unit[chosen[-1:]])[:, 0])
    return chosen

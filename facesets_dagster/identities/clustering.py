"""Average linkage on cosine distance, cut at a threshold.

The partition is that of scikit-learn's `AgglomerativeClustering(metric="cosine", linkage="average",
distance_threshold=...)`, made by `linkage` without its matrix. Labels are made canonical, so that the same
faces get the same labels in any order.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage import Progress, average_merges, by_size

__all__ = ["Progress", "average_linkage", "by_size", "require_at_most"]


def average_linkage(
    embeddings: NDArray[np.floating],
    distance_threshold: float,
    *,
    together: Sequence[NDArray[np.integer]] = (),
    cannot_link: NDArray[np.integer] | None = None,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> NDArray[np.int64]:
    """Labels (n,) of rows (n, dim): clusters numbered by size descending, ties by their first row.

    Clusters merge while their average cosine distance is below `distance_threshold` (0..2). The other arguments: see
    `linkage.average_merges`.
    """
    if len(embeddings) < 2:
        return np.zeros(len(embeddings), np.int64)
    merges = average_merges(
        embeddings,
        distance_threshold,
        together=together,
        cannot_link=cannot_link,
        progress=progress,
        scratch=scratch,
    )
    return merges.labels_at(distance_threshold)


def require_at_most(max_faces: int, faces: int, what: str) -> None:
    """Raises `SettingsError` if `what` has more faces than are to be grouped at once."""
    if faces > max_faces:
        raise SettingsError(
            f"{what}: {faces} faces, at most max_faces = {max_faces} are grouped at once. Memory grows with the faces "
            "and their near pairs (1,000,000 faces: about 8 GB). Raise max_faces where there is that much, or split "
            "the bucket."
        )

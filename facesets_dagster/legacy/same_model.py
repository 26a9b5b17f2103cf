"""Is a legacy cache of our model? Decided by the faces that both have; its rows are used only if it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesets_dagster.identities.geometry import normalised
from facesets_dagster.legacy.cache_file import LegacyCache
from facesets_dagster.legacy.matching import Fate


@dataclass(frozen=True)
class ModelVerdict:
    """The comparison of a cache with our model."""

    shared: int
    """Faces that both have."""
    median_similarity: float | None
    """Cosine similarity of the two embeddings of one face, -1..1."""
    reason: str | None
    """None if it is our model; else `other_model` or `model_not_shown`."""


def compare_models(
    cache: LegacyCache, fates: Sequence[Fate], dim: int, *, min_similarity: float, min_shared: int
) -> ModelVerdict:
    """`fates`: of the cache's rows, in their order. Too few shared faces prove nothing."""
    rows = [row for row, fate in enumerate(fates) if fate.embedding is not None]
    if len(cache) and cache.embeddings.shape[1] != dim:
        return ModelVerdict(len(rows), None, "other_model")
    if len(rows) < min_shared:
        return ModelVerdict(len(rows), None, "model_not_shown")
    theirs = normalised(cache.embeddings[rows])
    ours = normalised(np.array([fates[row].embedding for row in rows], np.float32))
    median = float(np.median((theirs * ours).sum(axis=1)))
    return ModelVerdict(len(rows), median, None if median >= min_similarity else "other_model")

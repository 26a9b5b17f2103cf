"""The composite rank of the legacy scripts: five numbers, each scaled to 0..1 inside the faceset's candidates."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

RANK_WEIGHTS = {"det_score": 0.30, "face_short": 0.20, "blur": 0.20, "frontality": 0.15, "symmetry": 0.15}
"""Weights of LEGACY `export-swap`; they sum to 1."""


def rank_scores(candidates: pl.DataFrame) -> NDArray[np.float64]:
    """Weighted sum (n,) of the five columns, each min-max scaled over the rows; a constant column counts as 1.

    `face_short` and `blur` are scaled on a log axis: a face of 400 px is not four times as useful as one of 100 px.
    """
    scores = np.zeros(len(candidates))
    if candidates.is_empty():
        return scores
    for column, weight in RANK_WEIGHTS.items():
        values = candidates[column].to_numpy().astype(np.float64)
        if column in ("face_short", "blur"):
            values = np.log1p(values)
        span = np.ptp(values)
        scaled = (values - values.min()) / span if span > 0 else np.ones_like(values)
        scores += weight * scaled
    return scores

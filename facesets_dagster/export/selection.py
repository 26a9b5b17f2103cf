"""Which of the exported faces are the top: good ones whose mean is near to the person's, a session counting as one.

A consumer averages what it loads. Ranked by quality alone the top holds eight frames of one burst, and their mean
stands for that moment; the choice here takes what brings the mean nearest to the person's. Figures and what was not
chosen: `docs/decisions/filled-sets.md`. Pure.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.export.curation import Curated, ExportParameters

_ROWS = 1024
"""Rows of the matrix of similarities that are in memory at a time."""


def order_of_export(curated: Curated, accepted: Sequence[int], parameters: ExportParameters) -> list[int]:
    """The accepted positions in the order of the export: the top, the others that pass the gates, those that fill up.

    Each of the three by rank.
    """
    strict = [place for place in accepted if place < curated.strict]
    if not parameters.variety or len(strict) <= parameters.top_n:
        return list(accepted)
    rows = curated.candidates[strict]
    chosen = choose_top(
        rows["embedding"].to_numpy(),
        rows["rank_score"].to_numpy(),
        top_n=parameters.top_n,
        variety=parameters.variety,
        session_similarity=parameters.session_similarity,
    )
    top = {strict[place] for place in chosen}
    return sorted(accepted, key=lambda place: (place not in top, place))


def choose_top(
    embeddings: NDArray[np.float32],
    rank_score: NDArray[np.float64],
    *,
    top_n: int,
    variety: float,
    session_similarity: float,
) -> list[int]:
    """Positions of `top_n` of the faces, in the order in which they are chosen; ties to the earlier one.

    `embeddings` (n, dim), raw, best-ranked first; `rank_score` (n,), 0..1. The first is the best-ranked face. Each next
    one has the largest (1 - variety) x rank score + variety x cosine similarity of the raw mean, with it, to the
    person's mean: the mean of all, each divided by the faces of its session.
    """
    raw = embeddings.astype(np.float64)
    target = _unit((raw / _faces_of_session(_unit(raw), session_similarity)[:, None]).sum(axis=0))
    chosen, total = [0], raw[0].copy()
    while len(chosen) < min(top_n, len(raw)):
        near = _unit(total + raw) @ target
        value = (1 - variety) * rank_score + variety * near
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        total += raw[chosen[-1]]
    return chosen


def influences(embeddings: NDArray[np.float32]) -> list[float | None]:
    """Cosine distance of the raw mean of all embeddings (n, dim) to that of all but one, for each; None for one alone.

    `1 - cos(m, m - (x - m) / (n - 1))` with `m` the mean: how far the face alone moves what a consumer averages.
    """
    raw = embeddings.astype(np.float64)
    if len(raw) < 2:
        return [None] * len(raw)
    total = raw.sum(axis=0)
    moved = 1 - _unit(total - raw) @ _unit(total)
    return [max(float(distance), 0.0) for distance in moved]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., dim) of length 1, in float64: the order of a faceset must not hang on the last digit of a product."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths))


def _faces_of_session(unit: NDArray[np.float64], session_similarity: float) -> NDArray[np.int64]:
    """How many of the faces (n, dim) are as similar as in one session to each, itself included."""
    counts = np.ones(len(unit), np.int64)
    for start in range(0, len(unit), _ROWS):
        alike = unit[start : start + _ROWS] @ unit.T >= session_similarity
        counts[start : start + _ROWS] = np.maximum(alike.sum(axis=1), 1)
    return counts

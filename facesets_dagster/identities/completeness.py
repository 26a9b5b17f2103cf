"""How settled an identity's mean is: how far more faces of the same kind would still move it. Pure numpy.

A face's embedding is taken as a person's true direction plus what is particular to the photo. The mean of k faces then
keeps 1/k of the particular's variance, so that its cosine distance to the true direction falls as about c / k (the
angle as 1 / sqrt(k)). The variance is measured across the mean's direction, where it moves it, and taken off the mean's
own length, which it inflates. In expectation this is what random orders and half-splits of the faces measure, without
drawing any; how sure it is comes from leaving each face out in turn (jackknife).

It knows the faces at hand only: photos of one afternoon promise a settled mean that photos of other years would move.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CompletenessVerdict = Literal["complete", "would_gain", "too_thin"]

_SURE = 2.0
"""Jackknife standard errors on each side of an estimate."""
MOST = 1_000_000
"""Photos are not counted beyond this."""


@dataclass(frozen=True)
class CompletenessRules:
    """When a mean counts as settled, and when as too thin."""

    tolerance: float
    """Cosine distance that a settled mean would still be moved at most."""
    thin_distance: float
    """Expected to be moved farther than that: nobody should rely on it."""
    min_faces: int
    """Fewer say too little about how varied a person looks."""


@dataclass(frozen=True)
class Estimate:
    """A value and the range in which the truth is to be expected; infinite where the faces do not say."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Completeness:
    """What the faces of one identity say."""

    faces: int
    curve: NDArray[np.float64]
    """(n,): cosine distance of the mean of the first k faces to the mean of all, k = 1..n."""
    noise: float
    """Variance of a face across the mean's direction over the squared length of the true mean; the c above is half."""
    movement: Estimate
    """Cosine distance that unlimited further faces of the same kind would move the mean."""
    more: Estimate
    """Further faces until that is no more than the tolerance."""
    verdict: CompletenessVerdict
    reason: str

    def in_words(self) -> str:
        """`complete`, `would gain from 12 more`, `too thin to trust`."""
        told = {"complete": "complete", "too_thin": "too thin to trust"}
        return told.get(self.verdict, f"would gain from {whole(self.more.value)} more")


def completeness(embeddings: NDArray[np.floating], rules: CompletenessRules) -> Completeness:
    """Of the raw embeddings (n, dim) of an identity's faces in rank order, n >= 1."""
    faces, wide = len(embeddings), np.asarray(embeddings, np.float64)
    noise = noise_of(wide)
    movement = Estimate(*(expected_movement(value, faces) for value in (noise.value, noise.low, noise.high)))
    needed = [faces_needed(value, rules.tolerance) for value in (noise.value, noise.low, noise.high)]
    more = Estimate(*(max(count - faces, 0.0) for count in needed))
    verdict, reason = _judged(faces, movement, rules)
    return Completeness(faces, learning_curve(wide), noise.value, movement, more, verdict, reason)


def learning_curve(embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,): cosine distance of the raw mean of the first k rows (n, dim) to that of all."""
    sums = np.cumsum(embeddings, axis=0)
    lengths = np.linalg.norm(sums, axis=1)
    along = sums @ sums[-1] / np.where(lengths * lengths[-1] == 0, 1, lengths * lengths[-1])
    return np.asarray(np.clip(1.0 - along, 0.0, 2.0), np.float64)


def noise_of(embeddings: NDArray[np.float64]) -> Estimate:
    """The particular's variance in squared lengths of the true mean, of raw embeddings (n, dim)."""
    faces = len(embeddings)
    if faces < 2:
        return Estimate(math.inf, math.inf, math.inf)
    value = float(_noise(embeddings.sum(axis=0)[None], embeddings, faces)[0])
    if faces < 3 or not math.isfinite(value):
        return Estimate(value, 0.0, math.inf)
    without = _noise(embeddings.sum(axis=0) - embeddings, embeddings, faces - 1)
    if not np.isfinite(without).all():
        return Estimate(value, 0.0, math.inf)
    error = math.sqrt((faces - 1) / faces * float(((without - without.mean()) ** 2).sum()))
    return Estimate(value, max(value - _SURE * error, 0.0), value + _SURE * error)


def expected_movement(noise: float, faces: int, more: float = math.inf) -> float:
    """Cosine distance that the mean of so many faces is expected to move when `more` of the same kind are added."""
    if not math.isfinite(noise):
        return 1.0
    still = noise * (1 / faces - 1 / (faces + more)) / (1 + noise / (faces + more))
    return 1 - 1 / math.sqrt(1 + still)


def faces_needed(noise: float, tolerance: float) -> float:
    """Faces whose mean more would move by no more than the tolerance; at least 1."""
    return max(math.ceil(noise / ((1 - tolerance) ** -2 - 1) - 1e-9), 1) if math.isfinite(noise) else math.inf


def whole(count: float) -> str:
    """A number of photos in words; what cannot be said is `many`."""
    return f"{count:.0f}" if count < MOST else "many"


def _noise(sums: NDArray[np.float64], embeddings: NDArray[np.float64], faces: int) -> NDArray[np.float64]:
    """(m,): the noise of the m subsets of `faces` rows whose sums are `sums` (m, dim): all rows, or all but row i."""
    squares = (embeddings**2).sum(axis=1)
    total, along = np.full(len(sums), squares.sum()), np.einsum("md,md->m", sums, sums)
    lengths = np.sqrt(along)
    directions = sums / np.where(lengths == 0, 1, lengths)[:, None]
    rows_along = np.einsum("md,md->m", directions @ (embeddings.T @ embeddings), directions)
    if faces < len(embeddings):
        total = total - squares
        rows_along = rows_along - np.einsum("md,md->m", directions, embeddings) ** 2
    across = np.clip(total - rows_along, 0, None) / (faces - 1)  # the mean has no part across itself
    true_length = along / faces**2 - across / faces
    return np.where(true_length > 0, across / np.where(true_length > 0, true_length, 1), np.inf)


def _judged(faces: int, movement: Estimate, rules: CompletenessRules) -> tuple[CompletenessVerdict, str]:
    if faces < rules.min_faces:
        return "too_thin", f"{faces} exported, and fewer than {rules.min_faces} say too little of how varied they look"
    expected = f"more photos are expected to move the mean by {movement.value:.3f}"
    if movement.value > rules.thin_distance:
        return "too_thin", f"{expected}, above {rules.thin_distance:g}"
    if movement.value > rules.tolerance:
        return "would_gain", f"{expected}, above the tolerance {rules.tolerance:g}"
    return "complete", f"{expected}, within the tolerance {rules.tolerance:g}"

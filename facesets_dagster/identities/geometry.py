"""Vectors on the unit sphere: normalisation, centroids, cosine distances; and how far boxes overlap."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS = 8192


class RowBlocks(Protocol):
    """Rows that are looked at a block at a time: an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, dim)."""

    def __len__(self) -> int:
        """How many rows there are."""

    def __getitem__(self, block: slice, /) -> NDArray[np.float32]:
        """Some of the rows."""


class UnitRows:
    """Embeddings (n, dim) as rows of length 1, made when they are looked at: no second copy of all."""

    def __init__(self, embeddings: RowBlocks) -> None:
        self._embeddings, self.shape = embeddings, embeddings.shape

    def __len__(self) -> int:
        return len(self._embeddings)

    def __getitem__(self, block: slice, /) -> NDArray[np.float32]:
        return normalised(self._embeddings[block])


def normalised(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows (n, dim) scaled to length 1 in float64, returned as float32; a zero row stays zero."""
    if embeddings.ndim == 2 and len(embeddings) > _BLOCK_ROWS:  # a wide copy of a million rows takes 8 GB
        unit = np.empty(embeddings.shape, np.float32)
        for start in range(0, len(embeddings), _BLOCK_ROWS):
            unit[start : start + _BLOCK_ROWS] = normalised(embeddings[start : start + _BLOCK_ROWS])
        return unit
    wide = np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return (wide / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def lengths(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Length of each row (n, dim)."""
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64)), np.float64)


def sums_by(labels: NDArray[np.int64], rows: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Sums (count, dim) of the rows (n, dim) by their label (n,), 0 <= label < `count`; zero for an unused label."""
    sums = np.zeros((count, rows.shape[1]))
    order = np.argsort(labels, kind="stable")
    for start in range(0, len(order), _BLOCK_ROWS):  # a wide copy of a million rows takes 8 GB
        block = order[start : start + _BLOCK_ROWS]
        found, first = np.unique(labels[block], return_index=True)
        sums[found] += np.add.reduceat(rows[block].astype(np.float64), first, axis=0)
    return sums


def centroid(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """L2-normalised mean (dim,) of the L2-normalised rows (n, dim)."""
    unit = normalised(embeddings).astype(np.float64)
    return normalised(unit.mean(axis=0))


def cosine_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """1 - cosine similarity of unit rows (n, dim) and unit rows (m, dim): (n, m), 0..2."""
    return (1.0 - np.asarray(first, np.float32) @ np.asarray(second, np.float32).T).clip(0.0, 2.0)


def distance_between(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """The same of two unit vectors (dim,)."""
    return float(cosine_distance(first[None], second[None])[0, 0])


def nearest(
    unit: NDArray[np.float32], centroids: NDArray[np.float32], allowed: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Index of and distance to the nearest centroid (m, dim) for each unit row (n, dim).

    `allowed` (n, m) restricts the choice; a row with no choice gets index -1 and distance infinity. Ties go to the
    lower index. Works in blocks, so that memory stays linear in n.
    """
    indices = np.full(len(unit), -1, np.int64)
    distances = np.full(len(unit), np.inf, np.float32)
    if not len(centroids):
        return indices, distances
    for start in range(0, len(unit), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        found = cosine_distance(unit[block], centroids)
        if allowed is not None:
            found = np.where(allowed[block], found, np.inf)
        best = found.argmin(axis=1)
        distances[block] = found[np.arange(len(found)), best]
        indices[block] = np.where(np.isfinite(distances[block]), best, -1)
    return indices, distances


def iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union (n, m) of boxes (n, 4) and (m, 4)."""
    a, b = first[:, None, :].astype(np.float64), second[None, :, :].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.clip(sides, 0, None).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    union = areas - common
    return np.asarray(np.where(union > 0, common / np.where(union > 0, union, 1), 0.0))

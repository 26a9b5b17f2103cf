"""Rows as 8-bit integers, and how far a product of integers may be from the true one.

A row x is s q + r: codes q, a common scale s, a rest r. By Cauchy and Schwarz the product of two rows of length 1 is
at most s^2 q.q' + |r'| + |r| (1 + |r'|). So a pair of the wanted similarity has a product of codes that reaches a
threshold of its row and of the largest |r'| among the columns: no near pair is ever lost, and few others pass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-5
"""For what float32 rows and their lengths are off; far above it, far below the bound itself."""
_SAMPLE = 1024


@dataclass(frozen=True)
class Codes:
    """Codes of all rows, in tiles as the product takes its right side."""

    tiles: list[NDArray[np.int8]]
    """(dim, rows of the tile) each."""
    rest: NDArray[np.float64]
    """(n,): length of what the codes miss of each row."""
    scale: float
    limit: int
    """Codes run from -limit to limit."""

    def left(self, tile: int) -> NDArray[np.uint8]:
        """A tile as the product takes its left side, (rows, dim): codes + limit + 1, never negative."""
        return np.ascontiguousarray((self.tiles[tile].T.astype(np.int16) + self.limit + 1).astype(np.uint8))

    def thresholds(self, rows: slice, columns: slice, keep: float) -> NDArray[np.int32]:
        """What the products of codes of these rows (r,) with any of these columns reach if a pair is that similar."""
        row, column = self.rest[rows], float(self.rest[columns].max())
        least = keep - column - row * (1.0 + column) - _ROUNDING
        return np.floor(least / self.scale**2).clip(-(2**31) + 1, 2**31 - 1).astype(np.int32)


def encode(unit: NDArray[np.float32], limit: int, tile_rows: int) -> Codes:
    """Codes of unit rows (n, dim) within -limit..limit."""
    scale = _best_scale(unit[:: max(len(unit) // _SAMPLE, 1)], limit)
    rest = np.empty(len(unit), np.float64)
    tiles = []
    for top in range(0, len(unit), tile_rows):
        block = unit[top : top + tile_rows]
        codes = _round(block, scale, limit)
        rest[top : top + tile_rows] = _missed(block, codes, scale)
        tiles.append(np.ascontiguousarray(codes.astype(np.int8).T))
    return Codes(tiles, rest, scale, limit)


def _best_scale(sample: NDArray[np.float32], limit: int) -> float:
    """The scale that misses least: large numbers are rare, and cutting them off makes all steps smaller.

    The worst row counts as much as all others together, because thresholds hold for a whole tile.
    """
    largest = float(np.abs(sample).max(initial=0.0)) or 1.0
    scales = [largest * share / limit for share in (1.0, 0.85, 0.7, 0.6, 0.5, 0.4)]

    def loss(scale: float) -> float:
        missed = _missed(sample, _round(sample, scale, limit), scale)
        return float(missed.mean() + missed.max())

    return min(scales, key=loss)


def _round(rows: NDArray[np.float32], scale: float, limit: int) -> NDArray[np.float32]:
    return np.asarray(np.rint(rows * np.float32(1.0 / scale)).clip(-limit, limit), np.float32)


def _missed(rows: NDArray[np.float32], codes: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(rows - codes.astype(np.float64) * scale, axis=1), np.float64)

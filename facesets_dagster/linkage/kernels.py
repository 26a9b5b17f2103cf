"""The compiled loops over rows and tiles; those of the chain are in `chain_kernels`.

numba is imported here, there and in `dots`: import these modules inside a function. Compiled code is
kept beside this file, or in the user's cache folder where that is read-only. Nothing depends on how many registers a
CPU has: sums are those of `dots.dot`, or in the order of the loop. numba does not notice a change of `dots`: after one,
empty `__pycache__`.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numba  # noqa: TID253  (this module is imported lazily)
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.linkage.dots import any_reaches, dot
from facesets_dagster.linkage.width import WIDTH

Bits = NDArray[np.uint64]
Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def compiled(function: _Kernel) -> _Kernel:
    """Compiles on first use."""
    try:
        kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba finds no folder that it may write to
        _warn_once()
        kernel = numba.njit(nogil=True)(function)
    return kernel  # type: ignore[no-any-return]


@cache
def _warn_once() -> None:
    logging.getLogger(__name__).warning(
        "numba finds no folder to keep compiled code in, so it is compiled in every process, which takes some seconds. "
        "NUMBA_CACHE_DIR names a folder that may be written to."
    )


@compiled
def _number(rows: NDArray[np.floating], row: int, column: int, length: np.float64) -> np.float32:
    """A number of a row as float32 after the row was scaled to length 1; zeros have no sign."""
    return np.float32(rows[row, column] / length) + np.float32(0.0) if length > 0 else np.float32(0.0)


@compiled
def digest_rows(rows: NDArray[np.floating], top: int, end: int, lengths: Wide, keys: Bits) -> None:
    """Lengths of rows `top` to `end` of (n, dim), and 64-bit keys of what they are at length 1."""
    line = np.empty(rows.shape[1], np.float32)
    bits = line.view(np.uint32)
    for row in range(top, end):
        square = 0.0
        for column in range(rows.shape[1]):
            square += np.float64(rows[row, column]) * np.float64(rows[row, column])
        lengths[row] = np.sqrt(square)
        key = np.uint64(14695981039346656037)
        for column in range(rows.shape[1]):
            line[column] = _number(rows, row, column, lengths[row])
            key = (key ^ np.uint64(bits[column])) * np.uint64(1099511628211)
            key ^= key >> np.uint64(29)
        keys[row] = key


@compiled
def same_row(rows: NDArray[np.floating], first: int, second: int, lengths: Wide) -> bool:
    """Whether two rows are equal to the bit at length 1."""
    for column in range(rows.shape[1]):
        if _number(rows, first, column, lengths[first]) != _number(rows, second, column, lengths[second]):
            return False
    return True


@compiled
def unit_rows(rows: NDArray[np.floating], chosen: Longs, lengths: Wide, top: int, end: int, unit: Floats) -> None:
    """Writes `chosen[top:end]` of rows (n, dim) to `unit[top:end]`, scaled to length 1."""
    for target in range(top, end):
        row = chosen[target]
        for column in range(rows.shape[1]):
            unit[target, column] = _number(rows, row, column, lengths[row])


@compiled
def scan(product: NDArray[np.number], thresholds: NDArray[np.number], diagonal: bool, rows: Ints, columns: Ints) -> int:
    """Cells of a tile (r, c) that reach their row's threshold (r,); returns how many there are.

    They are written to `rows` and `columns` as far as those reach. `diagonal`: the tile compares rows with themselves,
    only cells right of the diagonal count. Stripes are first looked at as a whole.
    """
    found, limit, width = 0, len(rows), product.shape[1]
    for r in range(product.shape[0]):
        line, threshold = product[r], thresholds[r]
        for left in range((r + 1) // WIDTH * WIDTH if diagonal else 0, width, WIDTH):
            right = min(left + WIDTH, width)
            if right < left + WIDTH or any_reaches(line, left, threshold):
                for c in range(max(left, r + 1) if diagonal else left, right):
                    if line[c] >= threshold:
                        if found < limit:
                            rows[found] = r
                            columns[found] = c
                        found += 1
    return found


@compiled
def keep_near(unit: Floats, top: int, left: int, rows: Ints, columns: Ints, keep: np.float32, values: Floats) -> int:
    """Makes cells of a tile rows of `unit` (n, dim), keeps those with a similarity >= `keep`; returns how many."""
    kept = 0
    for cell in range(len(rows)):
        row, column = top + rows[cell], left + columns[cell]
        similarity = dot(unit[row], unit[column])
        if similarity >= keep:
            rows[kept], columns[kept], values[kept] = row, column, similarity
            kept += 1
    return kept

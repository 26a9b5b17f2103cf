"""Average linkage of a few rows on their whole matrix, by numpy alone.

Importing numba takes over a second, compiling the chain four; a bucket of hundreds of faces takes milliseconds here.
The same chain of nearest neighbours as in `chain_kernels`, by the formula of Lance and Williams, in float64.
"""

import numpy as np
from numpy.typing import NDArray

FEW = 2048
"""From more rows on the compiled chain is the faster one; their matrix would take 32 MB."""

_DECIMALS = 12
"""Of similarities: what two CPUs add up in another order is equal again."""


def merge_densely(
    unit: NDArray[np.float32],
    size: NDArray[np.int64],
    forbidden: NDArray[np.int64],
    *,
    distance_threshold: float,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Pairs (m, 2) of rows whose clusters are joined, and the heights (m,) of the joins, in the order of the chain.

    `unit` (n, dim): unit or zero rows; `size` (n,): faces that a row stands for; `forbidden` (f, 2): rows that are
    never joined. A joined cluster takes the row of the first of its parts. Ties go to the cluster before in the
    chain, then to the lower row.
    """
    similarity, sizes = _similarities(unit, forbidden), size.astype(np.float64)
    alive, height = np.ones(len(unit), bool), np.zeros(len(unit))
    pairs: list[tuple[int, int]] = []
    heights: list[float] = []
    chain: list[int] = []
    while chain or alive.any():
        chain = chain or [int(alive.argmax())]
        top = chain[-1]
        best = int(similarity[top].argmax())
        most = similarity[top, best]
        if not 1.0 - most <= distance_threshold:  # it will never be nearer to another
            _remove(similarity, alive, chain.pop())
        elif len(chain) > 1 and similarity[top, chain[-2]] == most:
            kept, gone = chain[-2], chain[-1]
            del chain[-2:]
            height[kept] = max(0.0, 1.0 - most, height[kept], height[gone])  # rounding puts no cluster below its parts
            pairs.append((kept, gone))
            heights.append(float(height[kept]))
            line = sizes[kept] * similarity[kept] + sizes[gone] * similarity[gone]
            sizes[kept] += sizes[gone]
            line /= sizes[kept]
            similarity[kept], similarity[:, kept] = line, line
            _remove(similarity, alive, gone)
        else:
            chain.append(best)
    return np.array(pairs, np.int32).reshape(-1, 2), np.array(heights, np.float64)


def _similarities(unit: NDArray[np.float32], forbidden: NDArray[np.int64]) -> NDArray[np.float64]:
    """Similarities (n, n), symmetric; minus infinity for pairs that are never joined, and for each row with itself."""
    wide = unit.astype(np.float64)
    similarity = np.round(wide @ wide.T, _DECIMALS)
    similarity = np.maximum(similarity, similarity.T)
    similarity[forbidden[:, 0], forbidden[:, 1]] = similarity[forbidden[:, 1], forbidden[:, 0]] = -np.inf
    np.fill_diagonal(similarity, -np.inf)
    return similarity


def _remove(similarity: NDArray[np.float64], alive: NDArray[np.bool_], row: int) -> None:
    alive[row] = False
    similarity[row] = -np.inf
    similarity[:, row] = -np.inf

"""Shorter rows whose products are never below those of the rows themselves: less to multiply, nothing lost.

A unit row x is split by its share a in the k directions in which the rows vary most, and the length t of what is left.
Then x.y <= a.a' + t t', which is the product of the rows (a, t) and (a', t') of k + 1 numbers. Both are turned at
random, which changes no product and leaves no number larger than the others, as 8-bit codes want it. How short pays
is tried on a sample: shorter rows let more pairs through, and those are looked at one by one.
"""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.linkage.products import float_session
from facesets_dagster.linkage.workers import in_blocks

_TRIED, _FITTED = 2048, 16_384
"""Rows on which lengths are tried, and others from which the directions come: the same would flatter them."""
_SHORTEST, _STEP = 64, 64
_CANDIDATE_COST = 45_000.0
"""What looking at one pair costs, in multiplications of a product of codes; measured, see the decision page."""
_ROUNDING = 1e-5
"""Square of a length that float32 may lose. A length that comes out too short would lose pairs; this never does."""
_CODES_MISS = 0.025
"""By how much the bound of 8-bit codes is loose."""


def bounding_rows(unit: NDArray[np.float32], keep: float) -> NDArray[np.float32]:
    """Rows (n, w) with the products of unit rows (n, dim) or higher ones, w <= dim, up to a rounding of 1e-6.

    `keep`: similarity of the pairs that are looked for.
    """
    chosen = np.linspace(0, len(unit) - 1, min(len(unit), _TRIED + _FITTED)).astype(np.int64)
    tried = np.arange(len(chosen)) % (-(-len(chosen) // _TRIED)) == 0
    fitted = unit[chosen[~tried]]
    strength, directions = np.linalg.eigh((fitted.T @ fitted).astype(np.float64))
    directions = directions[:, np.argsort(strength)[::-1]]
    width = _best_width((unit[chosen[tried]] @ directions.astype(np.float32)), keep)
    if width == unit.shape[1]:
        return unit
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0]
    main = np.ascontiguousarray((turn[:, : width - 1] @ directions[:, : width - 1].T).astype(np.float32))
    rest = turn[:, -1].astype(np.float32)
    rows = np.empty((len(unit), width), np.float32)

    def fill(top: int, end: int) -> None:
        shares = float_session().run(None, {"rows": unit[top:end], "others": main})[0]
        np.multiply(_left(unit[top:end], shares)[:, None], rest, out=rows[top:end])
        rows[top:end] += shares

    in_blocks(len(unit), fill)
    return rows


def _left(rows: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lengths (n,) of what the shares leave of rows, rounded up."""
    square = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", shares, shares)
    return np.asarray(np.sqrt(square.clip(0.0) + _ROUNDING), np.float32)


def _best_width(turned: NDArray[np.float32], keep: float) -> int:
    """Numbers per row that make all pairs and a look at the candidates cost least; `turned` (s, dim): a sample."""
    count, dim = turned.shape
    pairs = max(count * (count - 1) // 2, 1)
    costs: dict[int, float] = {}
    product = np.zeros((count, count), np.float32)
    for width in [*range(_SHORTEST, dim, _STEP), dim]:
        product += turned[:, max(width - _STEP, 0) : width] @ turned[:, max(width - _STEP, 0) : width].T
        left = _left(turned, turned[:, :width])
        near = int(np.count_nonzero(product + np.outer(left, left) >= keep - _CODES_MISS))
        costs[width] = width + _CANDIDATE_COST * (near - count) / 2 / pairs
    return min(costs, key=lambda width: (costs[width], width))

"""How alike two small grey pictures of faces are once one is laid over the other. Pure.

Landmarks of copies of a photo are found a little elsewhere in each, so that their aligned pictures are moved, turned
and scaled against each other. First all pairs as they lie; then, for the pairs that this leaves open, by following the
gradient to the best place, as Lucas and Kanade do, with the four numbers of a similarity.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
"""(n, side, side), grey."""

_MARGIN = 4
"""Left out of what is compared when one picture follows the other, px: what lies there may leave it."""
_STEPS = 3
"""Of the gradient; more change nothing."""
_MOST = np.array([0.15, 0.15, 3.0, 3.0])
"""How far a picture may follow: scale, turn (radians), moves (px)."""
_DAMPING = 1e-3
_PAIRS = 512
"""Followed at a time."""


def correlations(some: Pictures, others: Pictures) -> NDArray[np.float32]:
    """Of each picture with each other one as they lie, (n, m), the better of as it is and mirrored."""
    rows = _standardised(some)
    as_is, mirrored = (rows @ _standardised(side).T for side in (others, others[:, :, ::-1]))
    return np.asarray(np.maximum(as_is, mirrored))


def correlation_laid_over(some: Pictures, others: Pictures) -> NDArray[np.float64]:
    """Best correlation (n,) of the middles of pictures with the others, pair by pair, as they are and mirrored."""
    found = [
        np.maximum(_followed(some[part], others[part]), _followed(some[part], others[part][:, :, ::-1]))
        for part in _parts(len(some))
    ]
    return np.concatenate([np.zeros(0), *found])


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + _PAIRS) for start in range(0, count, _PAIRS))


def _followed(some: Pictures, others: Pictures) -> NDArray[np.float64]:
    """Best correlation (n,) on the way along the gradient."""
    side = some.shape[1]
    inner = slice(_MARGIN, side - _MARGIN)
    grid = np.mgrid[inner, inner].reshape(2, -1) - (side - 1) / 2
    wanted = _standardised(some[:, inner, inner]).astype(np.float64)
    place, best = np.zeros((len(some), 4)), np.full(len(some), -1.0)
    for step in range(_STEPS + 1):
        shown, slopes = _sampled(others, grid, place)
        length = np.linalg.norm(shown, axis=1, keepdims=True).clip(1e-6)
        along = (shown * wanted).sum(axis=1, keepdims=True)
        best = np.maximum(best, (along / length)[:, 0])
        if step < _STEPS:
            towards = np.linalg.solve(
                _damped(slopes.transpose(0, 2, 1) @ slopes),
                slopes.transpose(0, 2, 1) @ (along.clip(1) * wanted - shown)[..., None],
            )
            place = np.clip(place + towards[..., 0], -_MOST, _MOST)
    return best


def _sampled(
    pictures: Pictures, grid: NDArray[np.float64], place: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What pictures show at the grid (2, m: y, x from the middle) at these places (n, 4): values (n, m) of mean 0.

    And how they change with each of the four numbers, (n, m, 4), of mean 0.
    """
    (y, x), (scale, turn, right, down) = grid, place.T[:, :, None]
    last = pictures.shape[1] - 1
    across = np.clip((1 + scale) * x - turn * y + right + last / 2, 0, last - 1e-3)
    along = np.clip(turn * x + (1 + scale) * y + down + last / 2, 0, last - 1e-3)
    left, top = across.astype(np.int64), along.astype(np.int64)
    which = np.arange(len(pictures))[:, None]
    corners = [pictures[which, top + dy, left + dx].astype(np.float64) for dy in (0, 1) for dx in (0, 1)]
    fx, fy = across - left, along - top
    upper, lower = (a * (1 - fx) + b * fx for a, b in (corners[:2], corners[2:]))
    by_x = (corners[1] - corners[0]) * (1 - fy) + (corners[3] - corners[2]) * fy
    by_y = lower - upper
    slopes = np.stack([by_x * x + by_y * y, by_y * x - by_x * y, by_x, by_y], axis=-1)
    shown = upper * (1 - fy) + lower * fy
    return shown - shown.mean(axis=1, keepdims=True), slopes - slopes.mean(axis=1, keepdims=True)


def _damped(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4, 4) that can be inverted, those of flat pictures too."""
    trace = np.trace(matrices, axis1=1, axis2=2)[:, None, None]
    return np.asarray(matrices + (_DAMPING * trace + 1e-9) * np.eye(4))


def _standardised(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures (n, h, w) as rows (n, h x w) of mean 0 and length 1; a flat one is all 0."""
    rows = windows.reshape(len(windows), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6), np.float32)

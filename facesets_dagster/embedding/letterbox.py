"""How a photo fits into the detector's square, and which of the boxes found there are kept."""

import numpy as np
from numpy.typing import NDArray


def fitted_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width of a photo whose longer side becomes `side`, rounded down."""
    if height > width:
        return side, max(int(width * side / height), 1)
    return max(int(height * side / width), 1), side


def non_maximum_suppression(
    bbox: NDArray[np.float32], det_score: NDArray[np.float32], max_overlap: float, *, border: int = 0
) -> NDArray[np.int64]:
    """Rows of boxes (n, 4) to keep, best score first: those that overlap no better one by more than `max_overlap`.

    `border`: px by which a side counts more than its ends are apart.
    """
    order = np.argsort(-det_score, kind="stable")
    area = (bbox[:, 2:] - bbox[:, :2] + border).prod(axis=1)
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(bbox[best, :2], bbox[rest, :2])
        high = np.minimum(bbox[best, 2:], bbox[rest, 2:])
        shared = np.clip(high - low + border, 0, None).prod(axis=1)
        order = rest[shared / (area[best] + area[rest] - shared) <= max_overlap]
    return np.array(kept, np.int64)

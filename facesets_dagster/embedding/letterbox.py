"""Fitting a photo into the detector's square, and boxes back."""

import cv2
import numpy as np
from numpy.typing import NDArray


def letterbox(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """The photo (h, w, 3) scaled into the top left of a black square (side, side, 3), and the scale."""
    height, width = image.shape[:2]
    if height > width:
        new_height, new_width = side, max(int(width * side / height), 1)
    else:
        new_height, new_width = max(int(height * side / width), 1), side
    square = np.zeros((side, side, 3), np.uint8)
    square[:new_height, :new_width] = cv2.resize(image, (new_width, new_height))
    return square, new_height / height


def non_maximum_suppression(
    bbox: NDArray[np.float32], det_score: NDArray[np.float32], max_overlap: float
) -> NDArray[np.int64]:
    """Rows of boxes (n, 4) to keep, best score first: those that overlap no better one by more than `max_overlap`."""
    order = np.argsort(-det_score, kind="stable")
    area = (bbox[:, 2] - bbox[:, 0]) * (bbox[:, 3] - bbox[:, 1])
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(bbox[best, :2], bbox[rest, :2])
        high = np.minimum(bbox[best, 2:], bbox[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        order = rest[shared / (area[best] + area[rest] - shared) <= max_overlap]
    return np.array(kept, np.int64)

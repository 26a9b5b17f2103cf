"""Square crops around a face, and the ways to make one without other faces. Pure geometry on pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TIGHTER = (0.7, 0.5, 0.3, 0.15)


@dataclass(frozen=True)
class CropPlan:
    """How a crop is made."""

    padding: float
    """Added on each side, as a fraction of the longer bbox side."""
    border: str
    """Fill beyond the photo's edge: `reflect` (mirrored) or `replicate` (edge pixels drawn out)."""
    paint_neighbours: bool
    """Other faces inside the crop are smoothed away."""


def crop_plans(padding: float) -> Iterator[CropPlan]:
    """What to try, the wanted crop first, then tighter and tighter ones."""
    yield CropPlan(padding, "reflect", False)
    yield CropPlan(padding, "replicate", True)
    for factor in _TIGHTER:
        yield CropPlan(round(padding * factor, 4), "replicate", True)


def square_crop(
    image: NDArray[np.uint8],
    bbox: NDArray[np.float32],
    neighbours: NDArray[np.float32],
    plan: CropPlan,
    crop_px: int,
) -> NDArray[np.uint8]:
    """The square (crop_px, crop_px, 3) around `bbox` (4,) of a photo (h, w, 3).

    Its side is the longer bbox side plus the padding on both sides; its centre is the bbox's. `neighbours` (m, 4) are
    the boxes of the photo's other faces.
    """
    import cv2

    square = left, top, side = square_around(bbox, plan.padding)
    interpolation = cv2.INTER_AREA if side > crop_px else cv2.INTER_CUBIC
    cut = _cut(image, left, top, side, plan.border)
    crop = np.ascontiguousarray(cv2.resize(cut, (crop_px, crop_px), interpolation=interpolation), np.uint8)
    if plan.paint_neighbours and len(neighbours):
        _paint(crop, into_crop(bbox, square, crop_px), into_crop(neighbours, square, crop_px))
    return crop


def square_around(bbox: NDArray[np.float32], padding: float) -> tuple[int, int, int]:
    """Left, top and side of the square around `bbox` (4,), px of the photo; it may reach past the photo's edge."""
    x1, y1, x2, y2 = bbox.astype(float)
    side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * padding)), 2)
    return round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2), side


def into_crop(boxes: NDArray[np.float32], square: tuple[int, int, int], crop_px: int) -> NDArray[np.float32]:
    """Boxes (..., 4) of the photo in px of the crop of a square."""
    left, top, side = square
    return np.asarray((boxes - np.array([left, top, left, top])) * (crop_px / side), np.float32)


def into_photo(boxes: NDArray[np.float32], square: tuple[int, int, int], crop_px: int) -> NDArray[np.float32]:
    """Boxes (..., 4) of the crop of a square in px of the photo."""
    left, top, side = square
    return np.asarray(boxes * (side / crop_px) + np.array([left, top, left, top]), np.float32)


def _cut(image: NDArray[np.uint8], left: int, top: int, side: int, border: str) -> NDArray[np.uint8]:
    import cv2

    height, width = image.shape[:2]
    inside = image[max(top, 0) : min(top + side, height), max(left, 0) : min(left + side, width)]
    pads = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    if not any(pads):
        return inside
    pads = _fitted(pads, inside.shape[0], inside.shape[1], side)
    code = cv2.BORDER_REFLECT_101 if border == "reflect" and min(inside.shape[:2]) > 1 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.copyMakeBorder(inside, *pads, code), np.uint8)


def _fitted(pads: tuple[int, int, int, int], height: int, width: int, side: int) -> tuple[int, int, int, int]:
    """Pads that make the cut exactly `side` px even where the square lies partly outside on both ends."""
    top, _, left, right = pads
    return top, side - height - top, left, side - width - left if side - width - left >= 0 else right


def _paint(crop: NDArray[np.uint8], face: NDArray[np.float32], neighbours: NDArray[np.float32]) -> None:
    """Smooths the neighbours' boxes (grown by a fifth) until no features are left; the face's own box stays."""
    import cv2

    mask = np.zeros(crop.shape[:2], np.uint8)
    for x1, y1, x2, y2 in neighbours:
        grow_x, grow_y = 0.2 * (x2 - x1), 0.2 * (y2 - y1)
        _fill(mask, (x1 - grow_x, y1 - grow_y, x2 + grow_x, y2 + grow_y), 255)
    _fill(mask, tuple(face.tolist()), 0)
    if mask.any():
        coarse = cv2.resize(crop, (8, 8), interpolation=cv2.INTER_AREA)
        smooth = cv2.resize(coarse, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
        cv2.copyTo(smooth, mask, crop)


def _fill(mask: NDArray[np.uint8], box: tuple[float, ...], value: int) -> None:
    x1, y1, x2, y2 = (round(edge) for edge in box)
    mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = value

"""Square crops around a face, and the ways to make one without other faces. Pure geometry on pixels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import similarity_transforms

_TIGHTER = (0.7, 0.5, 0.3, 0.15)
_SECOND = (1.0, 0.7, 0.5)
_HAIR, _HEAD_AND_SHOULDERS = 0.25, 0.5
"""Added on each side of a face's box, of its width and height."""
LEAST_TURN = 8.0
"""Degrees; a face that is tilted less is not turned."""


@dataclass(frozen=True)
class CropPlan:
    """How a crop is made."""

    padding: float
    """Added on each side, as a fraction of the longer bbox side."""
    border: str
    """Fill beyond the photo's edge: `reflect` (mirrored), `replicate` (edge pixels drawn out) or `black`."""
    paint_neighbours: bool
    """Other faces inside the crop are smoothed away."""
    turn: float = 0.0
    """Degrees by which the photo is turned about the face, counter-clockwise."""


def crop_plans(padding: float, border: str) -> Iterator[CropPlan]:
    """What to try, the wanted crop first, with this border, then tighter and tighter ones."""
    yield CropPlan(padding, border, False)
    yield CropPlan(padding, "replicate", True)
    for factor in _TIGHTER:
        yield CropPlan(round(padding * factor, 4), "replicate", True)


def wanted_border(
    padding: float, bbox: NDArray[np.float32], neighbours: NDArray[np.float32], shape: tuple[int, ...]
) -> str:
    """`reflect`, or `black` where half a second face would be seen in the mirror.

    `bbox` (4,): the face, its hair counts; `neighbours` (m, 4): the other faces of its photo, of which head and
    shoulders count.
    """
    frame = CropFrame.around(bbox, CropPlan(padding, "reflect", False), 1)
    people = np.concatenate([_grown(bbox[None], _HAIR), _grown(neighbours, _HEAD_AND_SHOULDERS)])
    for left, top, right, bottom in frame.mirrored(shape):
        seen = (people[:, 0] < right) & (people[:, 2] > left) & (people[:, 1] < bottom) & (people[:, 3] > top)
        if seen.any():
            return "black"
    return "reflect"


def _grown(boxes: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Boxes (n, 4) with this share of their width and height added on each side."""
    sides = (boxes[:, 2:] - boxes[:, :2]) * share
    return np.asarray(boxes + np.concatenate([-sides, sides], axis=1), np.float32)


def clipped_plans(padding: float, bbox: NDArray[np.float32], shape: tuple[int, ...]) -> Iterator[CropPlan]:
    """For a face `bbox` (4,) at the edge of a photo of this shape: drawn out, it may be no face any more."""
    for factor in _SECOND:
        plan = CropPlan(round(padding * factor, 4), "black", True)
        if CropFrame.around(bbox, plan, 1).reaches_past(shape):
            yield plan


def upright_plans(padding: float, roll: float) -> Iterator[CropPlan]:
    """For a face tilted by `roll` degrees clockwise; none where it is upright."""
    if abs(roll) >= LEAST_TURN:
        for factor in _SECOND:
            yield CropPlan(round(padding * factor, 4), "black", True, round(roll, 1))


def roll_of(kps: NDArray[np.floating]) -> float:
    """Roll of the landmarks (5, 2) of a face, degrees clockwise: 0 where it is upright."""
    cosine, sine = similarity_transforms(kps[None])[0, :, 0]
    return -math.degrees(math.atan2(sine, cosine))


@dataclass(frozen=True)
class CropFrame:
    """Where a crop lies in its photo: a square, turned about its centre."""

    left: int
    top: int
    side: int
    """Left, top and side in px of the photo; it may reach past the photo's edge."""
    turn: float
    """Degrees by which the photo is turned, counter-clockwise."""
    crop_px: int

    @classmethod
    def around(cls, bbox: NDArray[np.float32], plan: CropPlan, crop_px: int) -> "CropFrame":
        """The frame of a plan around `bbox` (4,): the longer bbox side plus the padding on both sides."""
        x1, y1, x2, y2 = bbox.astype(float)
        side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * plan.padding)), 2)
        return cls(round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2), side, plan.turn, crop_px)

    def reaches_past(self, shape: tuple[int, ...]) -> bool:
        """Whether a part of the square lies outside a photo of this shape (h, w, ...)."""
        right, bottom = self.left + self.side, self.top + self.side
        return self.left < 0 or self.top < 0 or right > shape[1] or bottom > shape[0]

    def mirrored(self, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
        """Parts (x1, y1, x2, y2) of a photo of this shape (h, w, ...) that a mirrored border would show again."""
        height, width = shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        x1, y1, x2, y2 = max(self.left, 0), max(self.top, 0), min(right, width), min(bottom, height)
        if self.left < 0:
            yield x1, y1, min(1 - self.left, x2), y2
        if right > width:
            yield max(2 * width - right - 1, x1), y1, x2, y2
        if self.top < 0:
            yield x1, y1, x2, min(1 - self.top, y2)
        if bottom > height:
            yield x1, max(2 * height - bottom - 1, y1), x2, y2

    def share_of(self, marked: NDArray[np.bool_]) -> float:
        """Share of the square, 0..1, that lies on what is marked in a photo (h, w)."""
        right, bottom = self.left + self.side, self.top + self.side
        inside = marked[max(self.top, 0) : max(bottom, 0), max(self.left, 0) : max(right, 0)]
        return float(inside.sum()) / self.side**2

    def into_crop(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (..., 4) of the photo in px of the crop; where it is turned, a box goes with its centre."""
        left, top = self.left, self.top
        placed = (boxes - np.array([left, top, left, top])) * (self.crop_px / self.side)
        return np.asarray(self._turned(placed, self.turn), np.float32)

    def into_photo(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (..., 4) of the crop in px of the photo: the reverse of `into_crop`."""
        left, top = self.left, self.top
        upright = self._turned(boxes, -self.turn)
        return np.asarray(upright * (self.side / self.crop_px) + np.array([left, top, left, top]), np.float32)

    def _turned(self, boxes: NDArray[np.floating], turn: float) -> NDArray[np.floating]:
        if not turn:
            return boxes
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        offset = (boxes[..., :2] + boxes[..., 2:]) / 2 - self.crop_px / 2
        moved = offset @ np.array([[cosine, -sine], [sine, cosine]]) - offset
        return np.asarray(boxes + np.concatenate([moved, moved], axis=-1))


def square_crop(
    image: NDArray[np.uint8],
    bbox: NDArray[np.float32],
    neighbours: NDArray[np.float32],
    plan: CropPlan,
    crop_px: int,
) -> NDArray[np.uint8]:
    """The square (crop_px, crop_px, 3) around `bbox` (4,) of a photo (h, w, 3); its centre is the bbox's.

    `neighbours` (m, 4) are the boxes of the photo's other faces.
    """
    frame = CropFrame.around(bbox, plan, crop_px)
    crop = _turned_square(image, frame, plan.border) if plan.turn else _square(image, frame, plan.border)
    if plan.paint_neighbours and len(neighbours):
        _paint(crop, frame.into_crop(bbox), frame.into_crop(neighbours))
    return crop


def _square(image: NDArray[np.uint8], frame: CropFrame, border: str) -> NDArray[np.uint8]:
    import cv2

    size = frame.crop_px
    interpolation = cv2.INTER_AREA if frame.side > size else cv2.INTER_CUBIC
    cut = _cut(image, frame.left, frame.top, frame.side, border)
    return np.ascontiguousarray(cv2.resize(cut, (size, size), interpolation=interpolation), np.uint8)


def _turned_square(image: NDArray[np.uint8], frame: CropFrame, border: str) -> NDArray[np.uint8]:
    """Out of the square that holds it at every turn: scaled first, so that turning changes no scale."""
    import cv2

    margin = math.ceil(frame.side * (math.sqrt(2) - 1) / 2)
    side = frame.side + 2 * margin
    size = round(frame.crop_px * side / frame.side)
    wide = _square(image, CropFrame(frame.left - margin, frame.top - margin, side, 0.0, size), border)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), frame.turn, 1.0)
    shift = np.array([[0, 0, 1], [0, 0, 1]]) * (size - frame.crop_px) / 2
    shape = (frame.crop_px, frame.crop_px)
    turned = cv2.warpAffine(wide, matrix - shift, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(turned, np.uint8)


def _cut(image: NDArray[np.uint8], left: int, top: int, side: int, border: str) -> NDArray[np.uint8]:
    import cv2

    height, width = image.shape[:2]
    inside = image[max(top, 0) : min(top + side, height), max(left, 0) : min(left + side, width)]
    pads = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    if not any(pads):
        return inside
    pads = _fitted(pads, inside.shape[0], inside.shape[1], side)
    code = {"reflect": cv2.BORDER_REFLECT_101, "replicate": cv2.BORDER_REPLICATE, "black": cv2.BORDER_CONSTANT}[border]
    if border == "reflect" and min(inside.shape[:2]) == 1:
        code = cv2.BORDER_REPLICATE
    return np.asarray(cv2.copyMakeBorder(inside, *pads, code, value=(0.0, 0.0, 0.0)), np.uint8)


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

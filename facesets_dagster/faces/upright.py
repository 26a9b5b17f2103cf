"""Whether a photo is upright, by what the detector sees: photos without EXIF may lie on their side or on their head.

A detector finds faces that are not upright too, and puts eyes and mouth where they would be in an upright one, so
neither a face nor its landmarks prove anything. But it is less sure of them, or their box is wider than high: that
costs nothing to see. Only such a photo, and one without a face, is looked at in all four turns, in one picture.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.photos.decode import turned

TURNS = (0, 90, 180, 270)
"""Degrees clockwise."""
_WIDE = 1.0
"""Width by height of a box: upright faces stay below 0.91, most on their side are above 1.05."""
_TILTED = 35.0
"""Degrees between the line through the eyes and the horizontal: up to 21 in portraits."""
_AROUND = 2.0
"""Side of what is looked at around a face, by the longer side of its box."""
_FILLED = 0.8
"""Share of its quarter that each picture takes, so that there is a border around it."""
_GREY = 127


def looks_upright(found: Detections, sure_score: float) -> bool:
    """Whether at least half of the large faces, of one or more, look as upright ones do.

    `sure_score`: the detector's score that nearly all upright faces reach, and few others.
    """
    sides = found.bbox[:, 2:] - found.bbox[:, :2]
    short = sides.min(axis=1)
    eyes = found.kps[:, 1] - found.kps[:, 0]
    tilt = np.degrees(np.abs(np.arctan2(eyes[:, 1], eyes[:, 0])))
    odd = (found.det_score < sure_score) | (sides[:, 0] > _WIDE * sides[:, 1]) | (tilt > _TILTED)
    return bool(odd[short >= short.max() / 2].mean() <= 0.5)


def turns_by_score(image: NDArray[np.uint8], found: Detections, embedder: Embedder) -> Sequence[int]:
    """The turns that show a face, best score first; of equal ones the smaller.

    One look at one picture: what lies around the largest face, or the whole photo if none was found, four times.
    """
    side = embedder.pack.det_size // 2
    small = fitted(_around_largest(image, found) if len(found) else image, round(side * _FILLED))
    sheet = np.full((2 * side, 2 * side, 3), _GREY, np.uint8)
    for index, turn in enumerate(TURNS):
        picture = turned(small, turn)
        height, width = picture.shape[:2]
        top, left = (side * (index // 2) + (side - height) // 2, side * (index % 2) + (side - width) // 2)
        sheet[top : top + height, left : left + width] = picture
    seen = embedder.detect(sheet)
    scores: dict[int, float] = {}
    middles = (seen.bbox[:, :2] + seen.bbox[:, 2:]) / 2
    for (x, y), score in zip(middles.tolist(), seen.det_score.tolist(), strict=True):
        turn = TURNS[2 * int(y >= side) + int(x >= side)]
        scores[turn] = max(scores.get(turn, 0.0), score)
    return sorted(scores, key=lambda turn: (-scores[turn], turn))


def fitted(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture with `side` px as its longer side; shrunk by area averaging."""
    import cv2

    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8
    )


def _around_largest(image: NDArray[np.uint8], found: Detections) -> NDArray[np.uint8]:
    sides = found.bbox[:, 2:] - found.bbox[:, :2]
    largest = int(sides.min(axis=1).argmax())
    middle = (found.bbox[largest, :2] + found.bbox[largest, 2:]) / 2
    return around(image, middle, float(sides[largest].max()) * _AROUND)[0]


def around(
    image: NDArray[np.uint8], middle: NDArray[np.floating], side: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The square of `side` px at `middle` (x, y) as far as it lies in the picture, and its upper left corner (x, y)."""
    height, width = image.shape[:2]
    x1, y1 = np.clip(middle - side / 2, 0, [width - 1, height - 1]).astype(int)
    x2, y2 = np.clip(np.ceil(middle + side / 2), [x1 + 1, y1 + 1], [width, height]).astype(int)
    return np.ascontiguousarray(image[y1:y2, x1:x2]), np.array([x1, y1], np.float32)

"""What makes people hard to tell: sunglasses, a look-alike, one person twice in a picture, somebody behind.

Pictures are (side, side, 3), BGR, as `augment.cut_out` gives them. Deterministic.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 640
"""Of the pictures that places are given for, px."""
_GLASS = (28.0, 24.0, 22.0)


@dataclass(frozen=True)
class Places:
    """Where the parts of a face lie in a picture of `SIDE`, px."""

    right_eye: tuple[float, float]
    """The person's own right: on the left of the picture."""
    left_eye: tuple[float, float]
    mouth_right: tuple[float, float]
    mouth_left: tuple[float, float]

    def points(self) -> NDArray[np.float32]:
        """(4, 2)"""
        return np.array([self.right_eye, self.left_eye, self.mouth_right, self.mouth_left], np.float32)


def with_sunglasses(image: NDArray[np.uint8], places: Places) -> NDArray[np.uint8]:
    """The picture with dark glasses before the eyes."""
    right, left = places.points()[:2].astype(np.float64)
    apart = float(np.linalg.norm(left - right))
    slope = float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))
    glass = np.zeros(image.shape[:2], np.float32)
    for eye in (right, left):
        centre = (float(eye[0]), float(eye[1] + 0.06 * apart))
        cv2.ellipse(glass, (centre, (0.78 * apart, 0.62 * apart), slope), (1.0,), -1)
    cv2.line(glass, right.astype(int).tolist(), left.astype(int).tolist(), (1.0,), round(0.08 * apart))
    soft = cv2.GaussianBlur(glass, (0, 0), 1.5)[..., None]
    dark = np.array(_GLASS) + 0.05 * image
    return np.asarray(image * (1 - soft) + dark * soft, np.uint8)


def look_alike(
    image: NDArray[np.uint8], places: Places, other: NDArray[np.uint8], others: Places, *, share: float, width: float
) -> NDArray[np.uint8]:
    """The picture with a face between the two, as siblings look alike.

    `share` (0..1) of it is the other one's; all is `width` times as wide as it was.
    """
    side = image.shape[0]
    onto, _ = cv2.estimateAffinePartial2D(others.points(), places.points())
    moved = cv2.warpAffine(other, onto, (side, side), borderMode=cv2.BORDER_REFLECT_101).astype(np.float64)
    centre, apart = places.points().mean(axis=0), float(np.linalg.norm(places.points()[1] - places.points()[0]))
    mask = np.zeros((side, side), np.float32)
    ellipse = ((float(centre[0]), float(centre[1] - 0.05 * apart)), (2.1 * apart, 2.8 * apart), 0.0)
    cv2.ellipse(mask, ellipse, (1.0,), -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.15 * apart)
    face = soft > 0.9
    moved = (moved - moved[face].mean(axis=0)) / moved[face].std(axis=0)  # light and colours of this picture
    moved = moved * image[face].std(axis=0) + image[face].mean(axis=0)
    weight = (soft * share)[..., None]
    mixed = np.asarray((image * (1 - weight) + moved * weight).clip(0, 255), np.uint8)
    middle = np.array([[width, 0, side / 2 * (1 - width)], [0, 1, 0]])
    return np.asarray(cv2.warpAffine(mixed, middle, (side, side), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def with_somebody_behind(image: NDArray[np.uint8], other: NDArray[np.uint8], height: float) -> NDArray[np.uint8]:
    """The picture with another face, `height` (0..1) of its side, in the upper left corner."""
    side = round(image.shape[0] * height)
    small = cv2.resize(other, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    mask = np.zeros((side, side), np.float32)
    cv2.ellipse(mask, ((side / 2, side / 2), (0.8 * side, 0.95 * side), 0.0), (1.0,), -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.04 * side)[..., None]
    found, start = image.astype(np.float64), round(0.02 * image.shape[0])
    corner = (slice(start, start + side), slice(start, start + side))
    found[corner] = found[corner] * (1 - soft) + small * soft
    return np.asarray(found.clip(0, 255), np.uint8)

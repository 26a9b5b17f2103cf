"""Perceptual hashes of a face: near for copies of one photo, far for two photos, however alike the person looks.

pHash, the DCT variant: the picture in grey at 32 x 32, its two-dimensional cosine transform, of that the 8 x 8 low
frequencies beside the constant ones, one bit each: above their median or not. Zauner, "Implementation and Benchmarking
of Perceptual Image Hash Functions", 2010. Mirrored copies and copies turned by more than a few degrees are far.

Two hashes per face, of squares around its box: the face alone, which survives that a copy was cropped, and the head,
which sees hair and background too. Two faces are as far apart as the farther of the two pairs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HASH_VERSION = 1
"""Part of what a stored hash is known by: raised when the same pixels would give another hash."""
_SIDE, _LOW = 32, 8
_HEAD_MARGIN = 0.15
"""Added on each side of the bbox, of its longer side."""


@dataclass(frozen=True)
class FaceHashes:
    """The hashes of one face, 64 bits each."""

    face: int
    head: int


def face_hashes(photo: NDArray[np.uint8], bbox: NDArray[np.floating]) -> FaceHashes:
    """Of the face in box (4,), x1, y1, x2, y2 in px of the photo (h, w, 3), BGR, upright."""
    return FaceHashes(perceptual_hash(_square(photo, bbox, 0.0)), perceptual_hash(_square(photo, bbox, _HEAD_MARGIN)))


def perceptual_hash(picture: NDArray[np.uint8]) -> int:
    """64 bits of a picture (h, w, 3), BGR."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    smaller = min(grey.shape) >= _SIDE
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    low = cv2.dct(small.astype(np.float64))[1 : _LOW + 1, 1 : _LOW + 1].ravel()
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def bits_apart(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many of 64 bits differ, element by element."""
    return np.bitwise_count(np.bitwise_xor(first, second))


def _square(photo: NDArray[np.uint8], bbox: NDArray[np.floating], margin: float) -> NDArray[np.uint8]:
    """The square around the box's centre; beyond the photo its edge is drawn out."""
    import cv2

    x1, y1, x2, y2 = (float(edge) for edge in bbox)
    side = max(round(max(x2 - x1, y2 - y1) * (1 + 2 * margin)), 2)
    centre = ((x1 + x2 - 1) / 2, (y1 + y2 - 1) / 2)
    return np.asarray(cv2.getRectSubPix(photo, (side, side), centre), np.uint8)

"""Per-face numbers that gates and ranking use, each a fixed formula (glossary in `docs/glossary.md`)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SHARPNESS_SIDE = 112
"""Shorter side at which the sharpness of faces is compared, px: that of the recogniser's input."""


def face_short_px(bbox: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shorter side of each box (n, 4), px of the upright photo at full resolution."""
    sides = bbox[:, 2:] - bbox[:, :2]
    return np.asarray(sides.min(axis=1), np.float32)


def blur(image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> NDArray[np.float32]:
    """Variance of the 3x3 Laplacian of the 8-bit grey crop of each box; higher is sharper, 0 for an empty crop.

    Computed at native resolution, the box rounded to whole pixels and cut at the photo's border. Pech-Pacheco et al.,
    "Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000.
    """
    return np.array([_laplacian_variance(crop) for crop in _grey_crops(image, bbox)], np.float32)


def sharpness(image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `blur`, of the crop shrunk by area averaging until its shorter side is `SHARPNESS_SIDE` px; never enlarged.

    At native resolution a large face spreads its edges over more pixels than a small one, and looks softer though it
    shows more: a face of 477 px fails a gate that it passes at half its size.
    """
    return np.array([_laplacian_variance(_at_one_size(crop)) for crop in _grey_crops(image, bbox)], np.float32)


def _grey_crops(image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
    import cv2

    height, width = image.shape[:2]
    for x1, y1, x2, y2 in np.rint(bbox).astype(int).tolist():
        crop = image[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY) if crop.size else crop[..., 0]
        yield np.asarray(grey, np.uint8)


def _at_one_size(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = crop.shape
    if min(height, width) <= SHARPNESS_SIDE:
        return crop
    scale = SHARPNESS_SIDE / min(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def _laplacian_variance(crop: NDArray[np.uint8]) -> float:
    import cv2

    if not crop.size:
        return 0.0
    # Whole numbers within +-1020, so 16 bits lose nothing and take a third of the time of floats.
    return float(cv2.meanStdDev(cv2.Laplacian(crop, cv2.CV_16S, ksize=1))[1][0, 0] ** 2)


def frontality(kps: NDArray[np.float32]) -> NDArray[np.float32]:
    """How frontal each face (n, 5, 2) looks, 0..1: 1 when the nose tip lies midway between the eyes, 0 at an eye.

    The nose's offset from the eyes' midpoint is measured along the line through the eyes, in units of half their
    distance, so that roll and scale do not count.
    """
    left, right, nose = kps[:, 0], kps[:, 1], kps[:, 2]
    axis = right - left
    length = np.linalg.norm(axis, axis=1)
    offset = ((nose - (left + right) / 2) * axis).sum(axis=1) / np.maximum(length, 1e-6) ** 2
    return np.asarray(np.clip(1.0 - 2.0 * np.abs(offset), 0.0, 1.0), np.float32)


def symmetry(kps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Left-right symmetry of the five landmarks (n, 5, 2), 0..1.

    Mean of two ratios, shorter to longer: nose to left eye against nose to right eye, and nose to left mouth corner
    against nose to right mouth corner.
    """
    nose = kps[:, 2]
    distances = np.linalg.norm(kps - nose[:, None], axis=2)
    eyes, mouth = distances[:, [0, 1]], distances[:, [3, 4]]
    ratios = [pair.min(axis=1) / np.maximum(pair.max(axis=1), 1e-6) for pair in (eyes, mouth)]
    return np.asarray(np.mean(ratios, axis=0), np.float32)

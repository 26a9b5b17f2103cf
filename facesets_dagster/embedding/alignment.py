"""The five-point alignment that ArcFace and SFace were trained on: 112 x 112 px, similarity transform."""

import numpy as np
from numpy.typing import NDArray

SIDE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Places of the five landmarks in the aligned face (Deng et al., "ArcFace", CVPR 2019, published code)."""


def similarity_transforms(kps: NDArray[np.floating]) -> NDArray[np.float64]:
    """The (n, 2, 3) matrices that take landmarks (n, 5, 2) to the template.

    Least squares over rotation, uniform scale and shift: Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", PAMI 1991. In the plane, with points as complex numbers, rotation and scale
    are one factor, and its least squares need no singular values.
    """
    source = np.asarray(kps, np.float64)
    source_mean, target_mean = source.mean(axis=1), TEMPLATE.mean(axis=0)
    x, y = np.moveaxis(source - source_mean[:, None], 2, 0)
    u, v = (TEMPLATE - target_mean).T
    spread = np.maximum((x * x + y * y).sum(axis=1), 1e-12)
    cosine, sine = (x @ u + y @ v) / spread, (x @ v - y @ u) / spread
    turned = np.stack([np.stack([cosine, -sine], axis=1), np.stack([sine, cosine], axis=1)], axis=1)
    shift = target_mean - (turned @ source_mean[:, :, None])[:, :, 0]
    return np.concatenate([turned, shift[:, :, None]], axis=2)


def align(image: NDArray[np.uint8], kps: NDArray[np.floating]) -> list[NDArray[np.uint8]]:
    """The aligned faces (112, 112, 3) of landmarks (n, 5, 2) in a photo (h, w, 3); black beyond the photo."""
    import cv2

    return [
        np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE), borderValue=0.0), np.uint8)
        for matrix in similarity_transforms(kps)
    ]

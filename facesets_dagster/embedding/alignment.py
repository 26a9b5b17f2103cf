"""The five-point alignment that ArcFace and SFace were trained on: 112 x 112 px, similarity transform."""

import numpy as np
from numpy.typing import NDArray

SIDE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Places of the five landmarks in the aligned face (Deng et al., "ArcFace", CVPR 2019, published code)."""


def similarity_transform(kps: NDArray[np.floating]) -> NDArray[np.float64]:
    """The (2, 3) matrix that takes landmarks (5, 2) to the template.

    Least squares over rotation, uniform scale and shift: Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", PAMI 1991.
    """
    source = np.asarray(kps, np.float64)
    source_mean, target_mean = source.mean(axis=0), TEMPLATE.mean(axis=0)
    source_centred, target_centred = source - source_mean, TEMPLATE - target_mean
    u, singular, vt = np.linalg.svd(target_centred.T @ source_centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = (singular * signs).sum() / max(source_centred.var(axis=0).sum(), 1e-12)
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def align(image: NDArray[np.uint8], kps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The aligned face (112, 112, 3) of landmarks (5, 2) in a photo (h, w, 3); black beyond the photo."""
    import cv2

    return np.asarray(cv2.warpAffine(image, similarity_transform(kps), (SIDE, SIDE), borderValue=0.0), np.uint8)

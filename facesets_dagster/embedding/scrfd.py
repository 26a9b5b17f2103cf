"""SCRFD's outputs as boxes and landmarks. Guo et al., "Sample and computation redistribution for efficient face
detection", ICLR 2022.

The arithmetic is that of insightface's class, on the cells alone that hold a face; results are the same to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections
from facesets_dagster.embedding.letterbox import non_maximum_suppression

DET_THRESH = 0.5
SURE_SCORE = 0.73
"""98 % of 1,317 upright portraits have more (`det_500m`), 98 % of those on their head less."""
MAX_OVERLAP = 0.4
MEAN, STD = 127.5, 128.0


@dataclass(frozen=True)
class Heads:
    """What the number of outputs says of a detector with landmarks."""

    strides: tuple[int, ...]
    anchors: int
    """Per cell."""


HEADS = {9: Heads((8, 16, 32), 2), 15: Heads((8, 16, 32, 64, 128), 1)}
"""By number of outputs. Those with 6 or 10 find no landmarks, without which nothing can be aligned."""


def fitted_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width of a photo in the detector's square, rounded as insightface rounds."""
    ratio = height / width
    if ratio > 1:
        return side, max(int(side / ratio), 1)
    return max(int(side * ratio), 1), side


def decode_outputs(outputs: Sequence[NDArray[np.float32]], heads: Heads, side: int, scale: float) -> Detections:
    """Boxes (n, 4) and landmarks (n, 5, 2) in px of the photo, best first.

    `outputs`: scores of each stride, then boxes, then landmarks, each ([1,] cells * anchors, k). `scale`: the square's
    px per px of the photo.
    """
    levels = len(heads.strides)
    boxes, points, scores = [], [], []
    for level, stride in enumerate(heads.strides):
        score = outputs[level].reshape(-1)
        found = np.flatnonzero(score >= DET_THRESH)
        if not len(found):
            continue
        box, kps = (outputs[level + part * levels].reshape(-1, width) for part, width in ((1, 4), (2, 10)))
        cells = found // heads.anchors
        columns = side // stride
        centre = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32) * stride
        reach = box[found] * stride
        boxes.append(np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1))
        points.append(centre[:, None] + (kps[found] * stride).reshape(-1, 5, 2))
        scores.append(score[found])
    if not scores:
        return Detections(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))
    bbox, kps = (np.asarray(np.concatenate(parts) / scale, np.float32) for parts in (boxes, points))
    det_score = np.asarray(np.concatenate(scores), np.float32)
    kept = non_maximum_suppression(bbox, det_score, MAX_OVERLAP, border=1)
    return Detections(bbox[kept], kps[kept], det_score[kept])

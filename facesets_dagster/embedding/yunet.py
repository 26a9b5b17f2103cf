"""YuNet's outputs as boxes and landmarks. Wu et al., "YuNet: a tiny millisecond-level face detector", 2023."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections
from facesets_dagster.embedding.letterbox import non_maximum_suppression

STRIDES = (8, 16, 32)
SCORE_FLOOR = 0.6
"""Weaker detections are not reported; OpenCV's demo uses 0.9, LFW-like recall needs less."""
SURE_SCORE = 0.91
"""98 % of 1,338 upright portraits have more, 98 % of those on their side or head less."""
MAX_OVERLAP = 0.3


def decode_outputs(outputs: Mapping[str, NDArray[np.float32]], side: int) -> Detections:
    """Boxes (n, 4) and landmarks (n, 5, 2) in px of the detector's square, best first.

    `outputs`: `cls_8`, `obj_8`, `bbox_8`, `kps_8` and the same for 16 and 32, each (1, cells, k). The score is
    the geometric mean of class and objectness.
    """
    boxes, points, scores = [], [], []
    for stride in STRIDES:
        columns = side // stride
        cells = np.arange(columns * columns)
        origin = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
        cls, obj = (np.clip(outputs[f"{name}_{stride}"][0, :, 0], 0, 1) for name in ("cls", "obj"))
        score = np.sqrt(cls * obj)
        keep = score >= SCORE_FLOOR
        box, kps = outputs[f"bbox_{stride}"][0][keep], outputs[f"kps_{stride}"][0][keep]
        centre = (origin[keep] + box[:, :2]) * stride
        half = np.exp(box[:, 2:]) * stride / 2
        boxes.append(np.concatenate([centre - half, centre + half], axis=1))
        points.append((kps.reshape(-1, 5, 2) + origin[keep][:, None]) * stride)
        scores.append(score[keep])
    bbox, kps, score = np.concatenate(boxes), np.concatenate(points), np.concatenate(scores)
    kept = non_maximum_suppression(bbox, score, MAX_OVERLAP)
    return Detections(bbox[kept].astype(np.float32), kps[kept].astype(np.float32), score[kept].astype(np.float32))

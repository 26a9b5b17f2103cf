"""Boxes of two detectors, matched one to one. Boxes are (x1, y1, x2, y2), px of the upright photo."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import iou

_SAME_BOX = 0.9
"""Intersection over union from which two claims mean one legacy detection."""


@dataclass(frozen=True)
class BoxMatch:
    """What became of a claimed box."""

    index: int | None
    """Of the face found there; None if there is none."""
    iou: float
    """With that face, else the best with any face; 0..1."""
    problem: str | None


def as_xyxy(boxes: NDArray[np.float32], form: str) -> NDArray[np.float32]:
    """Boxes (n, 4) in the form `xyxy` or `xywh` as x1, y1, x2, y2."""
    if form == "xyxy":
        return boxes
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def box_problem(box: NDArray[np.float32]) -> str | None:
    """`bad_box` for a box (4,) with a number that is none, or without area."""
    good = np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]
    return None if good else "bad_box"


def match_boxes(claimed: NDArray[np.float32], found: NDArray[np.float32], min_iou: float) -> list[BoxMatch]:
    """One entry per claimed box (n, 4): its face among those found (m, 4), each face given once, best overlap first.

    Claims that mean the same legacy detection (two facesets may name one) share its face. Ties go to the earlier box.
    """
    overlap = iou(claimed, found)
    leader = (iou(claimed, claimed) >= _SAME_BOX).argmax(axis=1) if len(claimed) else np.zeros(0, np.int64)
    leader = leader[leader]
    pairs = [
        (-overlap[box, face], int(box), int(face))
        for box in sorted(set(leader.tolist()))
        for face in range(len(found))
        if overlap[box, face] >= min_iou
    ]
    given: dict[int, int] = {}
    taken: set[int] = set()
    for _, box, face in sorted(pairs):
        if box not in given and face not in taken:
            given[box] = face
            taken.add(face)
    return [_outcome(overlap[box], given.get(int(leader[box])), min_iou) for box in range(len(claimed))]


def _outcome(overlap: NDArray[np.float64], index: int | None, min_iou: float) -> BoxMatch:
    if index is not None:
        return BoxMatch(index, float(overlap[index]), None)
    best = float(overlap.max()) if len(overlap) else 0.0
    if not len(overlap):
        return BoxMatch(None, 0.0, "no_face_found")
    problem = "no_face_at_box" if best == 0 else "iou_too_low" if best < min_iou else "face_taken"
    return BoxMatch(None, best, problem)

"""A crop as its consumers will see it: at the detector size of the run's own pack, and at those that consumers use.

At every size exactly one face; at the pack's own size within `MAX_CROP_DISTANCE` of the source face's embedding; at
the others still the same person. A face that only another size finds (small or blurred in the background)
would be averaged into the identity, so its box is returned, to be painted out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import cosine_distance, normalised

CONSUMER_DET_SIZES = (640, 320)
"""roop-unleashed's two, px."""
MAX_CROP_DISTANCE = 0.15


@dataclass(frozen=True)
class Look:
    """What was seen in a crop."""

    verdict: Verdict | None
    """None for a good crop, else `crop_failed:<why>` of the first size at which it is none."""
    others: NDArray[np.float32]
    """(m, 4): boxes of faces that are not the crop's own, px of the crop, over all sizes."""


def look_again(
    crop: NDArray[np.uint8],
    own: NDArray[np.float32],
    source: NDArray[np.float32],
    embedder: Embedder,
    *,
    person_distance: float,
) -> Look:
    """Looks at a crop (h, w, 3), BGR.

    `own`: box (4,) of the face in px of the crop; `source`: its embedding (dim,) in the photo; `person_distance`: how
    far the face may lie from that at a size that is not the pack's own.
    """
    verdict: Verdict | None = None
    others = [np.zeros((0, 4), np.float32)]
    for det_size in dict.fromkeys((embedder.pack.det_size, *CONSUMER_DET_SIZES)):
        found = embedder.at(det_size).detect(crop)
        limit = MAX_CROP_DISTANCE if det_size == embedder.pack.det_size else max(person_distance, MAX_CROP_DISTANCE)
        verdict = verdict or _judged(crop, found, source, embedder, limit)
        others.append(_others(found.bbox, own))
    return Look(verdict, np.concatenate(others))


def _judged(
    crop: NDArray[np.uint8], found: Detections, source: NDArray[np.float32], embedder: Embedder, limit: float
) -> Verdict | None:
    if len(found) == 0:
        return Verdict("crop_failed:no_face_found", None, 1.0)
    if len(found) > 1:
        return Verdict("crop_failed:several_faces_found", float(len(found)), 1.0)
    seen = normalised(embedder.embed(crop, found.kps))
    distance = float(cosine_distance(seen, normalised(source)[None])[0, 0])
    return None if distance <= limit else Verdict("crop_failed:looks_different", distance, limit)


def _others(boxes: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (n, 4) but the one that overlaps `own` (4,) most, which is the face itself; all where none does."""
    low, high = np.maximum(boxes[:, :2], own[:2]), np.minimum(boxes[:, 2:], own[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    if not shared.any():
        return boxes
    joined = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (own[2:] - own[:2]).prod() - shared
    return np.delete(boxes, int((shared / joined).argmax()), axis=0)

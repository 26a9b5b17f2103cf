"""A crop as its consumers will see it: at the detector size of the run's own pack, and at those that consumers use.

At every size exactly one face; at the pack's own size within `MAX_CROP_DISTANCE` of the source face's embedding; at
the others still the same person. A face that only another size finds (small or blurred in the background)
would be averaged into the identity, so its box is returned, to be painted out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, repeat

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


@dataclass(frozen=True)
class Likeness:
    """What a crop's face is compared with."""

    source: NDArray[np.float32]
    """(dim,): its embedding in the photo."""
    person: NDArray[np.float32]
    """(dim,): centroid of its identity's candidates."""
    person_distance: float
    """How far a face may lie from the person, and from `source` at a size that is not the pack's own."""


def look_again(
    crop: NDArray[np.uint8], own: NDArray[np.float32], likeness: Likeness, embedder: Embedder, *, turned: bool = False
) -> Look:
    """Looks at a crop (h, w, 3), BGR.

    `own`: box (4,) of the face in px of the crop; `turned`: the face was set upright, and is compared with the person.
    """
    sizes = tuple(dict.fromkeys((embedder.pack.det_size, *CONSUMER_DET_SIZES)))
    found = [embedder.at(size).detect(crop) for size in sizes]
    faces = (_the_face(crop, detections, embedder) for detections in found)
    verdict = _as_the_person(faces, likeness) if turned else _as_in_the_photo(faces, likeness)
    return Look(verdict, np.concatenate([_others(detections.bbox, own) for detections in found]))


def _the_face(crop: NDArray[np.uint8], found: Detections, embedder: Embedder) -> NDArray[np.float32] | Verdict:
    """The embedding (dim,) of the only face."""
    if len(found) == 0:
        return Verdict("crop_failed:no_face_found", None, 1.0)
    if len(found) > 1:
        return Verdict("crop_failed:several_faces_found", float(len(found)), 1.0)
    return np.asarray(embedder.embed(crop, found.kps)[0], np.float32)


def _as_in_the_photo(faces: Iterable[NDArray[np.float32] | Verdict], likeness: Likeness) -> Verdict | None:
    """`faces`: at the pack's own size, then at the consumers'."""
    limits = chain([MAX_CROP_DISTANCE], repeat(max(likeness.person_distance, MAX_CROP_DISTANCE)))
    for face, limit in zip(faces, limits, strict=False):
        verdict = face if isinstance(face, Verdict) else _near(face, likeness.source, limit)
        if verdict is not None:
            return verdict
    return None


def _as_the_person(faces: Iterable[NDArray[np.float32] | Verdict], likeness: Likeness) -> Verdict | None:
    """All sizes see nearly the same, and it is the person."""
    seen: list[NDArray[np.float32]] = []
    for face in faces:
        if isinstance(face, Verdict):
            return face
        pairs = [(likeness.person, likeness.person_distance), *((before, MAX_CROP_DISTANCE) for before in seen)]
        verdict = next(filter(None, (_near(face, other, limit) for other, limit in pairs)), None)
        if verdict is not None:
            return verdict
        seen.append(face)
    return None


def _near(first: NDArray[np.float32], second: NDArray[np.float32], limit: float) -> Verdict | None:
    distance = float(cosine_distance(normalised(first)[None], normalised(second)[None])[0, 0])
    return None if distance <= limit else Verdict("crop_failed:looks_different", distance, limit)


def _others(boxes: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (n, 4) but the one that overlaps `own` (4,) most, which is the face itself; all where none does."""
    low, high = np.maximum(boxes[:, :2], own[:2]), np.minimum(boxes[:, 2:], own[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    if not shared.any():
        return boxes
    joined = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (own[2:] - own[:2]).prod() - shared
    return np.delete(boxes, int((shared / joined).argmax()), axis=0)

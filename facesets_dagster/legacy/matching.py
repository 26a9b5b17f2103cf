"""Legacy faces matched to ours by `(source, bbox)`: photo first, then the boxes on it, one to one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.legacy.boxes import match_boxes
from facesets_dagster.legacy.photos import Caches, Content, Photo


@dataclass(frozen=True)
class Fate:
    """What became of one legacy face; `reason` is None exactly if it has a face of ours."""

    owner: str
    """The faceset that names it, or the cache that holds it."""
    source: str
    bbox: NDArray[np.float32]
    """(4,)."""
    reason: str | None
    way: str | None = None
    """`cache`, `bytes`, `source` as in `Photo`, or `legacy_cache`: known to a legacy cache only."""
    bucket: str | None = None
    face_id: str | None = None
    embedding: NDArray[np.float32] | None = None
    """(dim,), raw, ours."""
    iou: float | None = None

    def lost(self, reason: str) -> "Fate":
        """The same face without one of ours."""
        return replace(self, reason=reason, way=None, bucket=None, face_id=None, embedding=None)


def match_faces(
    fates: Sequence[Fate], photo_of: Callable[[str], Photo], caches: Caches, dim: int, min_iou: float
) -> list[Fate]:
    """The fates with their matches, in the order given; those that have a reason already are passed through.

    `min_iou`: intersection over union, 0..1, from which two boxes mean one face.
    """
    found = list(fates)
    on_photo: dict[Content, list[int]] = {}
    ways: dict[int, str | None] = {}
    for index, fate in enumerate(fates):
        if fate.reason is not None:
            continue
        photo = photo_of(fate.source)
        if photo.content is None:
            found[index] = fate.lost(photo.problem or "not_read")
        else:
            on_photo.setdefault(photo.content, []).append(index)
            ways[index] = photo.way
    seen: set[tuple[str, str]] = set()
    for content, indices in on_photo.items():
        faces = caches.faces(content, dim)
        boxes = np.array([fates[index].bbox for index in indices], np.float32)
        for index, match in zip(indices, match_boxes(boxes, faces.bbox, min_iou), strict=True):
            fate = fates[index]
            face_id = None if match.index is None else faces.face_ids[match.index]
            if match.index is None or face_id is None:
                found[index] = replace(fate.lost(match.problem or "no_face_at_box"), iou=match.iou)
            elif (fate.owner, face_id) in seen:
                found[index] = replace(fate.lost("duplicate"), iou=match.iou)
            else:
                seen.add((fate.owner, face_id))
                found[index] = replace(
                    fate,
                    way=ways[index],
                    bucket=content.bucket,
                    face_id=face_id,
                    embedding=faces.embeddings[match.index],
                    iou=match.iou,
                )
    return found


def count_reasons(fates: Iterable[Fate]) -> dict[str, int]:
    """Faces per way and per reason; the counts add up to the faces."""
    counts: dict[str, int] = {}
    for fate in fates:
        name = fate.reason or fate.way or "matched"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))

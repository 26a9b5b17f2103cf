"""The faces of a photo as another model pack sees them, and rulings that speak of them. Pure.

Two detectors place their boxes a little differently. A face of one is a face of the other if the boxes overlap by half
or more; each face is given once, best overlap first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import iou
from facesets_dagster.identities.projection import PART
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, RulingFace

SAME_FACE = 0.5
"""Intersection over union from which two boxes are of one face."""


@dataclass(frozen=True)
class Boxes:
    """Faces of one photo as one model sees them."""

    ids: tuple[str, ...]
    """(n,): face_ids."""
    bbox: NDArray[np.float32]
    """(n, 4): px of the photo, upright by its EXIF orientation alone (`as_stored`)."""

    @classmethod
    def of(cls, boxes: Mapping[str, Sequence[float]]) -> "Boxes":
        """By face_id, in order."""
        ids = tuple(sorted(boxes))
        return cls(ids, np.array([boxes[one] for one in ids], np.float32).reshape(-1, 4))


def same_faces(before: NDArray[np.float32], after: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Rows of boxes (n, 4) and (m, 4) of one photo that are one face, by the first row; ties go to the earlier rows."""
    overlap = iou(before, after)
    pairs = sorted((-overlap[i, j], int(i), int(j)) for i, j in np.argwhere(overlap >= SAME_FACE).tolist())
    found: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in found and j not in found.values():
            found[i] = j
    return sorted(found.items())


def renamed_in(before: Boxes, after: Boxes) -> dict[str, str]:
    """face_id of one model -> face_id of the other, of one photo."""
    return {before.ids[i]: after.ids[j] for i, j in same_faces(before.bbox, after.bbox)}


def as_stored(bbox: Sequence[float], turn: int, width: int, height: int) -> tuple[float, float, float, float]:
    """A box (4,) of a photo that was turned by `turn` degrees clockwise, in px of the photo before that.

    `width`, `height`: of the turned photo. One model may have turned a photo that the other left as it is.
    """
    x1, y1, x2, y2 = map(float, bbox)
    return {
        90: (y1, width - x2, y2, width - x1),
        180: (width - x2, height - y2, width - x1, height - y1),
        270: (height - y2, x1, height - y1, x2),
    }.get(turn, (x1, y1, x2, y2))


@dataclass(frozen=True)
class Reanchored:
    """What becomes of one ruling."""

    ruling_id: str
    new: tuple[RulingFace, ...]
    """Its faces that another face_id stands for now."""
    same: tuple[RulingFace, ...]
    """Its faces that keep their face_id, with the box and embedding of the new model."""
    payload: Mapping[str, object]
    state: str

    def asleep(self) -> "Reanchored":
        """The same, but it goes on sleeping."""
        return replace(self, state="dormant")

    def changes(self, ruling: Ruling) -> bool:
        """Whether anything is to be written."""
        return bool(self.new or self.same) or self.state != ruling.state or dict(self.payload) != dict(ruling.payload)


def reanchored(ruling: Ruling, seen: Mapping[str, RulingFace], model_id: str, in_use: AbstractSet[str]) -> Reanchored:
    """A ruling with its faces as the model sees them.

    `seen`: face_id on record -> the same face by `model_id`; `in_use`: face sets that have members, those that are part
    of others by a merge included. A ruling whose faces are found sleeps no longer.
    """
    there = {(face.role, face.face_id) for face in ruling.faces if face.model_id == model_id}
    new, same = list[RulingFace](), list[RulingFace]()
    for face in ruling.faces:
        found = seen.get(face.face_id)
        if face.model_id == model_id or found is None or (face.role, found.face_id) in there:
            continue
        there.add((face.role, found.face_id))
        vector = found.embedding if face.embedding is not None else None
        (same if found.face_id == face.face_id else new).append(
            replace(found, role=face.role, bucket=face.bucket, embedding=vector)
        )
    state = ruling.state
    if state in ("in_force", "dormant"):
        state = "in_force" if speaks(ruling, there, model_id, in_use) else "dormant"
    return Reanchored(ruling.ruling_id, tuple(new), tuple(same), ruling.payload, state)


def speaks(ruling: Ruling, there: Collection[tuple[str, str]], model_id: str, in_use: AbstractSet[str]) -> bool:
    """Whether a ruling can be obeyed: every side of it has a face that is `there` (role, face_id), or its face set."""
    if ruling.kind == "threshold":
        return ruling.text("model_id") == model_id
    counts: dict[str, int] = {}
    for role, _ in there:
        counts[role] = counts.get(role, 0) + 1
    needed = {face.role for face in ruling.faces if not face.role.startswith(PART)} | set(ruling.names)
    if ruling.kind == "ignore" and STANDS_FOR in ruling.names:
        needed.discard("exemplar")
    least = 2 if ruling.kind == "allow_together" else 1
    return all(counts.get(role, 0) >= least or ruling.names.get(role) in in_use for role in needed)


def of_model(faces: Sequence[RulingFace], model_id: str) -> tuple[RulingFace, ...]:
    """The faces as `model_id` sees them; of a role of which it sees none, those on record, without embeddings."""
    seen = {face.role for face in faces if face.model_id == model_id}
    return tuple(
        face if face.model_id == model_id else replace(face, embedding=None)
        for face in faces
        if face.model_id == model_id or face.role not in seen
    )


def renamed_payload(ruling: Ruling, renamed: Mapping[str, str], digests: Mapping[str, str]) -> dict[str, object]:
    """The payload with face_ids and content digests of the new model; `digests`: of the old content -> of the new."""
    payload = dict(ruling.payload)
    members = payload.get("members")
    if ruling.kind == "approve" and isinstance(members, Iterable) and not isinstance(members, str):
        payload["members"] = sorted(renamed[face] for face in members if face in renamed)
        digest = str(payload.get("content_digest"))
        payload["content_digest"] = digests.get(digest, digest)
    return payload

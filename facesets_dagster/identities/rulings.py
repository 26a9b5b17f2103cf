"""Rulings: what a person decided about faces, as records. Pure.

The subject of a ruling is always faces, those that the person saw: a photo's content and a box in it. The names of face
sets are addresses at that time. So a ruling holds after clustering again, after renumbering, and with another model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KINDS: Mapping[str, str] = {
    "name": "the person's name",
    "same": "two people, or faces, are one person",
    "different": "two people, or faces, are two people",
    "not_person": "these faces are not this person's",
    "assign": "these faces are this person's",
    "split": "a face set holds several people; examples say who is who",
    "ignore": "a stranger, for ever",
    "not_a_face": "what was detected is no face",
    "approve": "a face set is right as it stands",
    "feature": "the picture that stands for a person",
    "allow_together": "a photo shows one person several times: a collage, a mirror, a screen",
    "threshold": "this home's number for its model pack",
}
"""Kind -> what it says."""

STATES: Mapping[str, str] = {
    "in_force": "every run obeys it",
    "undone": "taken back",
    "superseded": "a later ruling says something else of the same",
    "dormant": "its faces or its person are not there now; it wakes when they are",
}
"""State of a ruling -> what it means."""

UNDOABLE = ("in_force", "dormant", "superseded")
"""States of rulings that can be taken back."""

VIAS = ("ui", "cli", "job", "folder")
"""Where a ruling can come from."""

MOST_EXEMPLARS = 8
"""Faces that stand for a person in a ruling."""
MOST_IGNORED_EXEMPLARS = 16
"""The same for somebody who is ignored: profile and age included."""

STANDS_FOR = "identity"
"""Role of the faces that stand for the identity with the role of that name."""


@dataclass(frozen=True)
class RulingFace:
    """One face that a ruling speaks of."""

    role: str
    """What it is in the ruling: `face`, `a`, `b`, `identity`, `exemplar`; `part_b`: it goes with `b` of a split."""
    photo_sha256: str
    """Of the photo's bytes, in full."""
    bbox: tuple[float, float, float, float]
    """x1, y1, x2, y2, px of the upright photo at full resolution."""
    photo_width: int
    photo_height: int
    face_id: str
    """By the detector of `model_id`; another one may place the box elsewhere."""
    bucket: str
    model_id: str
    embedding: NDArray[np.float16] | None = None
    """Unit embedding (dim,) of `model_id`; None where the ruling needs none."""

    def unit(self) -> NDArray[np.float32] | None:
        """The embedding, of length 1 again."""
        if self.embedding is None:
            return None
        wide = self.embedding.astype(np.float32)
        return np.asarray(wide / max(float(np.linalg.norm(wide)), 1e-12), np.float32)


@dataclass(frozen=True)
class Ruling:
    """One decision of a person. Append-only: nothing but its state and who took it back is ever changed."""

    ruling_id: str
    """Made by the writer: the same decision sent twice is one row. Sorts by time."""
    kind: str
    made_at: str
    """ISO 8601, UTC."""
    made_by: str
    via: str
    faces: tuple[RulingFace, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Role -> name of the face set then: `identity`, or `a` and `b`."""
    payload: Mapping[str, object] = field(default_factory=dict)
    """What the kind needs besides: `text` of a name, `keeper` of `same`, `reach` of an ignore, `new` of a threshold."""
    reason: str | None = None
    seen_generation: int | None = None
    """Of the library that the person saw."""
    seen_digest: str | None = None
    """Of the members that the person saw; see `members_seen`."""
    state: str = "in_force"
    published: bool = False
    """Whether the library obeys it; of one that was taken back, whether it still does."""
    sequence: int = 0
    """Order in which rulings were written, 1, 2, ...; 0 for one that is not written yet."""
    undone_at: str | None = None
    undone_by: str | None = None
    superseded_by: str | None = None

    def of_role(self, *roles: str) -> tuple[RulingFace, ...]:
        """Its faces with one of these roles, in order."""
        return tuple(face for face in self.faces if face.role in roles)

    def parts(self) -> tuple[str, ...]:
        """Roles of the parts of a split, or of the sides of a pair, in order: `a`, `b`, ..."""
        return tuple(
            sorted({face.role for face in self.faces if len(face.role) == 1} | {r for r in self.names if len(r) == 1})
        )

    @property
    def identity(self) -> str | None:
        """The one person that it speaks of, as the face set was called then."""
        return self.names.get(STANDS_FOR)

    def text(self, key: str) -> str | None:
        """A text of the payload."""
        value = self.payload.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> float | None:
        """A number of the payload."""
        value = self.payload.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def in_order(rulings: Sequence[Ruling]) -> list[Ruling]:
    """Oldest first; those that are not written yet come last."""
    return sorted(rulings, key=lambda ruling: (ruling.sequence == 0, ruling.sequence, ruling.ruling_id))


def ruled_numbers(rulings: Sequence[Ruling], model_id: str) -> dict[str, float]:
    """Number of a pack -> what the newest ruling sets it to."""
    found: dict[str, float] = {}
    for ruling in in_order(rulings):
        number, value = ruling.text("number"), ruling.number("new")
        if ruling.kind == "threshold" and ruling.text("model_id") == model_id and number and value is not None:
            found[number] = value
    return found

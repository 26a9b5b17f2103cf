"""Faces of which rulings say that they are one person, or two: what a pack's numbers can be judged by. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, RulingFace

Sides = tuple[Sequence[RulingFace], Sequence[RulingFace]]


@dataclass(frozen=True)
class Judged:
    """How a distance judges what people said; a side is as near to another as its nearest faces."""

    distance: float
    """Cosine distance up to which faces are taken for one person."""
    together: tuple[float, ...]
    """Distances between sides that are one person, ascending."""
    apart: tuple[float, ...]
    """Distances between sides that are two people, ascending."""

    @property
    def found(self) -> int:
        """Sides of one person that are within the distance."""
        return sum(value <= self.distance for value in self.together)

    @property
    def mixed(self) -> int:
        """Sides of two people that are within the distance."""
        return sum(value <= self.distance for value in self.apart)

    def in_words(self) -> str:
        """A sentence with the four counts."""
        return (
            f"within {self.distance:g}: {self.found} of {len(self.together)} pairs that rulings say are one person, "
            f"{self.mixed} of {len(self.apart)} that they say are two"
        )


def judged(rulings: Sequence[Ruling], distance: float) -> Judged:
    """By rulings in force; sides without embeddings are left out."""
    together = [_nearest(*sides) for ruling in rulings for sides in _together(ruling)]
    apart = [_nearest(*sides) for ruling in rulings for sides in _apart(ruling)]
    return Judged(
        distance,
        tuple(sorted(value for value in together if value is not None)),
        tuple(sorted(value for value in apart if value is not None)),
    )


def _together(ruling: Ruling) -> Iterator[Sides]:
    if ruling.kind == "same":
        yield ruling.of_role("a"), ruling.of_role("b")
    elif ruling.kind == "assign":
        for face in ruling.of_role("face"):
            yield (face,), _others(ruling, face)


def _apart(ruling: Ruling) -> Iterator[Sides]:
    if ruling.kind == "not_person":
        for face in ruling.of_role("face"):
            yield (face,), _others(ruling, face)
    elif ruling.kind in ("different", "split"):
        for first, second in combinations(ruling.parts(), 2):
            yield ruling.of_role(first), ruling.of_role(second)


def _others(ruling: Ruling, face: RulingFace) -> Sequence[RulingFace]:
    """Faces that stand for the person, but this one."""
    return [one for one in ruling.of_role(STANDS_FOR) if one.face_id != face.face_id]


def _nearest(first: Sequence[RulingFace], second: Sequence[RulingFace]) -> float | None:
    unit, others = _units(first), _units(second)
    if not len(unit) or not len(others):
        return None
    return float(cosine_distance(unit, others).min())


def _units(faces: Sequence[RulingFace]) -> NDArray[np.float32]:
    return np.array([unit for face in faces if (unit := face.unit()) is not None], np.float32)

"""Periods of one identity's life: anchors are seeded once, frozen, and faces join the nearest one within reach.

Reach is a distance *and* a number of years. An anchor is never re-centred and a face is judged by anchors only, never
by faces that joined: transitive joining drifts across years (LEGACY `age_split_001`). Undated faces seed nothing and
join nothing, so that adding one changes no era.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.clustering import average_linkage
from facesets_dagster.identities.geometry import centroid, cosine_distance


@dataclass(frozen=True)
class Anchor:
    """What an era was seeded with; never re-centred."""

    centroid: NDArray[np.float32]
    """(dim,), unit length, of the faces that seeded it."""
    year: float
    """Their median year."""
    first_year: int
    last_year: int


@dataclass(frozen=True)
class EraNumbers:
    """What an era is made by; distances are cosine distances 0..2."""

    era_distance: float
    """Average linkage at which an identity falls into sub-clusters."""
    join_distance: float
    join_years: float
    min_seed_faces: int
    min_era_faces: int
    """Exported faces from which an era is substantive; below it is thin."""


@dataclass(frozen=True)
class DatedFaces:
    """The faces of one identity, in the order of their ids."""

    face_ids: tuple[str, ...]
    unit: NDArray[np.float32]
    """(n, dim), unit length."""
    years: NDArray[np.float64]
    """(n,), NaN = undated."""

    @property
    def dated(self) -> NDArray[np.bool_]:
        """(n,)."""
        return ~np.isnan(self.years)


@dataclass(frozen=True)
class Left:
    """A face that is in no era, and the anchor that came nearest."""

    face_id: str
    reason: str
    """One of `REASONS`."""
    anchor: int | None
    distance: float | None
    years: float | None


REASONS = {
    "undated": "nothing says when the photo was taken",
    "too_many_years": "an anchor looks alike, but its year is too far away",
    "too_far": "no anchor looks alike",
    "too_few": "its sub-cluster has too few dated faces to seed an era",
    "nothing_to_export": "its sub-cluster has no face that can be exported",
}


def seed(
    faces: DatedFaces, free: NDArray[np.bool_], existing: Sequence[Anchor], numbers: EraNumbers
) -> tuple[list[Anchor], list[str]]:
    """New anchors out of the dated faces that are `free` (n,), and the ids of faces in sub-clusters too small for one.

    Sub-clusters by average linkage, cut into periods, largest first (ties: earlier year, smaller face_id). One that
    shows the same look in the same years as an existing anchor, or as a larger new one, seeds nothing: its faces
    are judged one by one, and do not move that anchor.
    """
    rows = np.flatnonzero(free & faces.dated)
    labels = average_linkage(faces.unit[rows], numbers.era_distance)
    periods: list[NDArray[np.int64]] = []
    for label in range(labels.max() + 1 if len(labels) else 0):
        cluster = rows[labels == label]
        periods += [cluster[part] for part in split_by_year(faces.years[cluster], numbers.join_years)]
    periods.sort(key=lambda period: (-len(period), float(np.median(faces.years[period])), int(period.min())))
    anchors: list[Anchor] = []
    too_few: list[str] = []
    for period in periods:
        if len(period) < numbers.min_seed_faces:
            too_few += [faces.face_ids[row] for row in period]
            continue
        years = faces.years[period]
        anchor = Anchor(centroid(faces.unit[period]), float(np.median(years)), int(years.min()), int(years.max()))
        if not any(_same_period(anchor, other, numbers) for other in (*existing, *anchors)):
            anchors.append(anchor)
    return anchors, sorted(too_few)


def split_by_year(years: NDArray[np.float64], join_years: float) -> list[NDArray[np.int64]]:
    """Positions in `years` (k,), by year, cut until none lies more than `join_years` from the median of its part.

    The cut is the widest gap; of equal ones the one nearest to the middle of the span, then the earlier.
    """
    found: list[NDArray[np.int64]] = []
    waiting = [np.argsort(years, kind="stable")]
    while waiting:
        part = waiting.pop()
        ordered = years[part]
        if not len(part) or np.abs(ordered - np.median(ordered)).max() <= join_years:
            found += [part] if len(part) else []
            continue
        gaps = np.diff(ordered)
        widest = np.flatnonzero(gaps == gaps.max())
        middle = (ordered[0] + ordered[-1]) / 2
        cut = 1 + widest[np.abs((ordered[widest] + ordered[widest + 1]) / 2 - middle).argmin()]
        waiting += [part[cut:], part[:cut]]
    return found


def _same_period(anchor: Anchor, other: Anchor, numbers: EraNumbers) -> bool:
    """They share a year, and each lies within the other's reach."""
    shared = anchor.first_year <= other.last_year and other.first_year <= anchor.last_year
    near = abs(anchor.year - other.year) <= numbers.join_years
    return shared and near and float(anchor.centroid @ other.centroid) >= 1 - numbers.join_distance


def within_reach(faces: DatedFaces, anchor: Anchor, numbers: EraNumbers) -> NDArray[np.bool_]:
    """(n,): faces that this anchor may take; an undated one never."""
    near = cosine_distance(faces.unit, anchor.centroid[None])[:, 0] <= numbers.join_distance
    return near & (np.abs(faces.years - anchor.year) <= numbers.join_years)


def stays(faces: DatedFaces, anchor: Anchor, numbers: EraNumbers) -> NDArray[np.bool_]:
    """(n,): members that nothing speaks against: within reach, or without a date now (a photo that is not at hand)."""
    return within_reach(faces, anchor, numbers) | ~faces.dated


def join(
    faces: DatedFaces, anchors: Sequence[Anchor], numbers: Sequence[EraNumbers], joined: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index of the anchor of each face (n,), -1 for none: the nearest within reach, ties to the lower index.

    `joined` (n,): index of the anchor that a face has already, else -1; `numbers`: per anchor.
    """
    best, least = joined.copy(), np.full(len(joined), np.inf, np.float32)
    for index, (anchor, own) in enumerate(zip(anchors, numbers, strict=True)):
        distance = cosine_distance(faces.unit, anchor.centroid[None])[:, 0]
        better = (joined < 0) & within_reach(faces, anchor, own) & (distance < least)
        best[better], least[better] = index, distance[better]
    return best


def why_left(
    faces: DatedFaces, anchors: Sequence[Anchor], numbers: Sequence[EraNumbers], joined: NDArray[np.int64]
) -> list[Left]:
    """The faces that joined none: undated, or how far the nearest anchor was."""
    left: list[Left] = []
    for row in np.flatnonzero(joined < 0):
        if not faces.dated[row] or not anchors:
            reason = "too_far" if faces.dated[row] else "undated"
            left.append(Left(faces.face_ids[row], reason, None, None, None))
            continue
        distances = cosine_distance(np.array([anchor.centroid for anchor in anchors]), faces.unit[row][None])[:, 0]
        apart = [abs(float(faces.years[row]) - anchor.year) for anchor in anchors]
        alike = [index for index, own in enumerate(numbers) if distances[index] <= own.join_distance]
        nearest = min(alike or range(len(anchors)), key=lambda index: (float(distances[index]), index))
        left.append(
            Left(
                faces.face_ids[row],
                "too_many_years" if alike else "too_far",
                nearest,
                float(distances[nearest]),
                apart[nearest],
            )
        )
    return left

"""Faces of one photo as free evidence: two of them in one group show that a distance is too loose.

Not every such pair is two people: collages, mirrors, pictures on a wall and doubled boxes show one person twice. Left
out are boxes that overlap and faces as near as one person's, and a few photos prove nothing. What the pairs cannot
show is that a distance is too tight.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.joining import JoinRule, join_pieces
from facesets_dagster.linkage import average_merges

FEWEST_PHOTOS = 5
LARGEST_SHARE = 0.01
"""So many photos, and this share of those that could show it, must have two of their faces in one group."""
_OVERLAP = 0.1
_STEP, _STEPS = 0.02, 15


@dataclass(frozen=True)
class Distances:
    """What decides which faces are grouped."""

    cut: float
    """Of average linkage."""
    rule: JoinRule | None
    """Of the second stage; None: there is none."""

    def tighter(self, by: float) -> "Distances":
        """All distances less `by`."""
        if self.rule is None:
            return Distances(self.cut - by, None)
        limits = {name: getattr(self.rule, name) - by for name in ("two_faces", "face_and_group", "two_groups")}
        return Distances(self.cut - by, replace(self.rule, **limits))

    def named(self) -> dict[str, float]:
        """By the names of run config."""
        found = {"cluster_distance": round(self.cut, 3)}
        if self.rule is not None:
            found |= {
                f"join_{name}": round(float(getattr(self.rule, name)), 3)
                for name in ("two_faces", "face_and_group", "two_groups")
            }
        return found


@dataclass(frozen=True)
class PhotoFaces:
    """Faces by photo."""

    unit: NDArray[np.float32]
    """(n, dim)"""
    quality: NDArray[np.float64]
    """(n,): raw lengths by that of a good face."""
    photos: NDArray[np.int64]
    """(n,): number of the photo."""
    boxes: NDArray[np.float32]
    """(n, 4): x1, y1, x2, y2, px."""

    def pairs(self, apart: float) -> NDArray[np.int64]:
        """Pairs (m, 2) of faces of one photo, boxes apart and cosine distance above `apart`, ordered."""
        order = np.argsort(self.photos, kind="stable")
        bounds = np.flatnonzero(np.diff(self.photos[order])) + 1
        found = [np.zeros((0, 2), np.int64)]
        for rows in np.split(order, bounds) if len(order) else []:
            if len(rows) > 1:
                first, second = np.triu_indices(len(rows), 1)
                found.append(np.stack([rows[first], rows[second]], axis=1))
        pairs = np.concatenate(found)
        far = 1 - np.einsum("md,md->m", self.unit[pairs[:, 0]], self.unit[pairs[:, 1]]) > apart
        return np.asarray(pairs[far & (self._overlap(pairs) <= _OVERLAP)], np.int64)

    def _overlap(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the smaller box (m,) that lies in the other."""
        one, other = self.boxes[pairs[:, 0]].astype(np.float64), self.boxes[pairs[:, 1]].astype(np.float64)
        inside = (np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])).clip(0).prod(axis=1)
        smaller = np.minimum(*((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (one, other)))
        return np.asarray(inside / smaller.clip(1e-9), np.float64)

    def of(self, rows: NDArray[np.int64]) -> "PhotoFaces":
        """Some of the faces."""
        return PhotoFaces(self.unit[rows], self.quality[rows], self.photos[rows], self.boxes[rows])

    def groups(self, distances: Distances) -> NDArray[np.int64]:
        """(n,): the groups of a run with these distances."""
        if len(self.unit) < 2 or distances.cut <= 0:
            return np.arange(len(self.unit))
        labels = average_merges(self.unit, distances.cut).labels_at(distances.cut)
        if distances.rule is None:
            return labels
        return join_pieces(self.unit, self.quality, labels, distances.rule).labels


@dataclass(frozen=True)
class Looseness:
    """What the photos with several faces say of some distances."""

    photos: int
    """Photos that show two people surely."""
    mixed: int
    """Those of them with two faces in one group."""
    safe: dict[str, float]
    """The first tighter distances at which no more are mixed than happens by chance; empty if these are."""

    @property
    def too_loose(self) -> bool:
        """Whether the distances bring different people together here."""
        return is_loose(self.mixed, self.photos)


def is_loose(mixed: int, photos: int) -> bool:
    """Whether so many photos with two faces in one group, of so many that could show it, are more than chance."""
    return mixed >= FEWEST_PHOTOS and mixed > LARGEST_SHARE * photos


def looseness(faces: PhotoFaces, groups: NDArray[np.int64], distances: Distances, apart: float) -> Looseness:
    """Whether the groups (n,), -1 = none, that `distances` made hold two people of one photo.

    Groups without such a pair are not made again: a tighter distance divides groups and brings no two together.
    """
    pairs = faces.pairs(apart)
    wrong = pairs[(groups[pairs[:, 0]] == groups[pairs[:, 1]]) & (groups[pairs[:, 0]] >= 0)]
    photos, mixed = len(np.unique(faces.photos[pairs[:, 0]])), len(np.unique(faces.photos[wrong[:, 0]]))
    if not is_loose(mixed, photos):
        return Looseness(photos, mixed, {})
    rows = np.flatnonzero(np.isin(groups, groups[wrong[:, 0]]))
    some = faces.of(rows)
    inside = some.pairs(apart)
    for step in range(1, _STEPS + 1):
        tighter = distances.tighter(_STEP * step)
        again = some.groups(tighter)
        still = len(np.unique(some.photos[inside[again[inside[:, 0]] == again[inside[:, 1]]][:, 0]]))
        if not is_loose(still, photos):
            return Looseness(photos, mixed, tighter.named())
    return Looseness(photos, mixed, distances.tighter(_STEP * _STEPS).named())

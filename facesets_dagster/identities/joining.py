"""The second stage of clustering: pieces of one person are brought together.

Average linkage at a distance that is safe among thousands of strangers leaves people in pieces: single faces that are
small, turned or old, and groups from different years. A piece is its normalised mean. Two pieces are joined if the
cosine distance of their means is within what their sizes allow: means of many faces are exact, and two of them that
are one person are far nearer to each other than two single faces. A low quality of the embedding (its raw length
against that of the pack's good faces; Meng et al., MagFace, 2021) makes distances larger, so it is made up for. The
pair that is nearest by this measure is joined first, until none is left. People who are there already are pieces too,
which are never joined to each other. Pieces that a ruling keeps apart are not joined either, nor what they are joined
into. Figures: `docs/decisions/two-stages.md`.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import normalised, sums_by
from facesets_dagster.identities.links import NO_LINKS, as_pairs
from facesets_dagster.linkage import by_size, near_pairs

_WORST, _BEST = 0.8, 1.1
"""Qualities beyond these count as these."""
_FEW = 4
"""A piece of so many faces is a large one."""
_REACH = 0.05
"""So far beyond the largest distance that joins anything, pairs are kept: their pieces may come nearer by joins."""


@dataclass(frozen=True)
class JoinRule:
    """Largest cosine distance (0..2) of the means of two pieces, by the faces in the smaller and in the larger."""

    two_faces: float
    """Two single faces."""
    face_and_group: float
    """A single face and a piece of several."""
    two_groups: float
    """Two pieces of which the smaller has four faces and more; halfway to `face_and_group` with two or three."""
    quality_gain: float
    """Taken from the distance for each unit by which the lower of the two qualities is below 1; not of two groups."""

    def most(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.float64]:
        """How far apart the means of pieces of so many faces (m,), (m,) may lie."""
        small, large = np.minimum(first, second), np.maximum(first, second)
        groups = np.where(small < _FEW, (self.face_and_group + self.two_groups) / 2, self.two_groups)
        return np.where(large < 2, self.two_faces, np.where(small < 2, self.face_and_group, groups))

    def farthest(self) -> float:
        """The largest distance at which any two pieces may be joined."""
        return max(self.two_faces, self.face_and_group, self.two_groups) + self.quality_gain * (1 - _WORST)

    def gained(
        self, faces: NDArray[np.integer], first: NDArray[np.floating], second: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """What is taken from distances for qualities (m,), (m,); less than 0 for very good ones.

        `faces` (m,): in the smaller piece. The mean of a group is exact whatever its faces.
        """
        gain = self.quality_gain * (1 - np.minimum(first, second).clip(_WORST, _BEST))
        return np.where(faces < _FEW, gain, 0.0)


@dataclass(frozen=True)
class Join:
    """Why a face is in its cluster although the first stage left it elsewhere."""

    distance: float
    """Of the means of the two pieces, less what quality gained."""
    threshold: float
    """How large it was allowed to be."""
    faces: int
    """In the smaller piece."""
    others: int
    """In the larger piece."""


@dataclass(frozen=True)
class People:
    """People who are there already, (k,) of them."""

    sums: NDArray[np.float64]
    """(k, dim): of the unit embeddings of their faces."""
    faces: NDArray[np.int64]
    """(k,)"""
    quality: NDArray[np.float64]
    """(k,): mean of their faces'."""

    @classmethod
    def nobody(cls, dim: int) -> "People":
        """K = 0."""
        return cls(np.zeros((0, dim)), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Joined:
    """Clusters after the second stage."""

    labels: NDArray[np.int64]
    """(n,), canonical: by size descending, ties by the first row; -1 for the faces of people who were there."""
    person: NDArray[np.int64]
    """(n,): the one of `People` that the row belongs to, -1 for none."""
    joins: dict[int, Join]
    """Row -> the join by which its piece first went into a larger one (of two equal ones the later)."""


def not_joined(labels: NDArray[np.int64]) -> Joined:
    """The clusters of the first stage."""
    return Joined(labels, np.full(len(labels), -1), {})


def join_pieces(
    unit: NDArray[np.float32],
    quality: NDArray[np.floating],
    labels: NDArray[np.int64],
    rule: JoinRule,
    people: People | None = None,
    apart: NDArray[np.int64] = NO_LINKS.apart,
    refused: NDArray[np.int64] = NO_LINKS.apart,
) -> Joined:
    """Joins clusters `labels` (n,) of unit rows (n, dim) whose raw lengths are `quality` (n,) of a good face's.

    `apart` (m, 2): rows that are never in one piece; `refused` (m, 2): a row, and the one of `people` who never has it.
    The result depends on the order of the rows only where two distances are equal to the bit.
    """
    if not len(labels):
        return not_joined(labels)
    pieces = _Pieces(unit, quality, labels, rule, people or People.nobody(unit.shape[1]))
    pieces.keep_apart(labels[apart])
    pieces.keep_apart(np.stack([labels[refused[:, 0]], int(labels.max()) + 1 + refused[:, 1]], axis=1))
    pieces.join_all()
    root = pieces.roots()
    person, free = pieces.person[root][labels], pieces.person[root][labels] < 0
    final = np.full(len(labels), -1, np.int64)
    final[free] = by_size(root[labels][free])
    joins = {row: join for piece, join in pieces.joins.items() for row in pieces.rows_of(piece)}
    return Joined(final, person, joins)


class _Pieces:
    """Pieces by number: those of the first stage, then each made by a join."""

    def __init__(
        self,
        unit: NDArray[np.float32],
        quality: NDArray[np.floating],
        labels: NDArray[np.int64],
        rule: JoinRule,
        people: People,
    ) -> None:
        self._rule, self._labels = rule, labels
        clusters, known = int(labels.max()) + 1, len(people.faces)
        count = clusters + known
        self._first_made = count
        self._size = np.zeros(2 * count, np.int64)
        self._size[:count] = np.concatenate([np.bincount(labels, minlength=clusters), people.faces])
        self._quality = np.zeros(2 * count)
        self._quality[:clusters] = np.bincount(labels, quality, clusters)
        self._quality[clusters:count] = people.quality * people.faces
        self._mean, self._length = _means(unit, labels, self._size[:clusters], people)
        self.person = np.full(2 * count, -1, np.int64)
        """Piece -> the one of the people that it is."""
        self.person[clusters:count] = np.arange(known)
        self._into = np.arange(2 * count)
        self._parts: dict[int, tuple[int, int]] = {}
        self._near: dict[int, set[int]] = {}
        self._never: dict[int, set[int]] = {}
        self._heap: list[tuple[float, int, int]] = []
        self.joins: dict[int, Join] = {}
        """Piece -> the join by which it went into a larger one; none for parts of such a piece."""

    def keep_apart(self, pairs: NDArray[np.int64]) -> None:
        """Pieces (m, 2) that are never joined, nor what they go into."""
        for first, second in pairs.tolist():
            self._never.setdefault(first, set()).add(second)
            self._never.setdefault(second, set()).add(first)

    def join_all(self) -> None:
        """Joins the pair that lies farthest within its limit, until there is none."""
        pairs = near_pairs(self._mean[: self._first_made], 1 - self._rule.farthest() - _REACH)
        for first, second in pairs.tolist():
            self._near.setdefault(first, set()).add(second)
            self._near.setdefault(second, set()).add(first)
        self._propose(pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64))
        made = self._first_made
        while self._heap:
            _, first, second = heapq.heappop(self._heap)
            if self._into[first] == first and self._into[second] == second:
                self._join(first, second, made)
                made += 1

    def _distance(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        cosine = np.einsum("md,md->m", self._mean[first], self._mean[second], dtype=np.float64)
        qualities = (self._quality[piece] / self._size[piece] for piece in (first, second))
        gained = self._rule.gained(np.minimum(self._size[first], self._size[second]), *qualities)
        return np.asarray(1 - cosine - gained, np.float64)

    def _propose(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        """Puts the pairs (m,), (m,) that may be joined into the heap."""
        may = (self.person[first] < 0) | (self.person[second] < 0)
        if self._never:
            pairs = zip(first.tolist(), second.tolist(), strict=True)
            may &= np.array([other not in self._never.get(one, ()) for one, other in pairs], bool)
        first, second = first[may], second[may]
        beyond = self._distance(first, second) - self._rule.most(self._size[first], self._size[second])
        for index in np.flatnonzero(beyond <= 0).tolist():
            heapq.heappush(self._heap, (float(beyond[index]), int(first[index]), int(second[index])))

    def _join(self, first: int, second: int, made: int) -> None:
        one, other = np.array([first]), np.array([second])
        sizes = self._size[[first, second]]
        smaller = second if self.person[first] >= 0 or (self.person[second] < 0 and sizes[1] <= sizes[0]) else first
        if smaller not in self.joins:
            distance, most = self._distance(one, other)[0], self._rule.most(sizes[:1], sizes[1:])[0]
            self.joins[smaller] = Join(float(distance), float(most), int(sizes.min()), int(sizes.max()))
        self._size[made] = sizes.sum()
        self._quality[made] = self._quality[first] + self._quality[second]
        self._put(made, self._length[first] * self._mean[first] + self._length[second] * self._mean[second])
        self.person[made] = max(self.person[first], self.person[second])
        self._into[first] = self._into[second] = made
        self._parts[made] = (first, second)
        near = {piece for piece in self._near.pop(first) | self._near.pop(second) if self._into[piece] == piece}
        self._near[made] = near
        if first in self._never or second in self._never:
            never = self._never.pop(first, set()) | self._never.pop(second, set())
            self.keep_apart(as_pairs([(made, piece) for piece in sorted(never)]))
        for piece in near:
            self._near[piece].add(made)
        others = np.array(sorted(near), np.int64)
        self._propose(others, np.full(len(others), made, np.int64))

    def _put(self, made: int, total: NDArray[np.float64]) -> None:
        if made == len(self._mean):  # room for as many joins as are usual, so that a million faces are held once
            room = made // 8 + 64
            self._mean = np.concatenate([self._mean, np.zeros((room, self._mean.shape[1]), np.float32)])
            self._length = np.concatenate([self._length, np.zeros(room)])
        self._mean[made], self._length[made] = normalised(total), np.linalg.norm(total)

    def roots(self) -> NDArray[np.int64]:
        """(first stage's pieces,): the piece in which each ended."""
        root = self._into.copy()
        for piece in range(len(root) - 1, -1, -1):
            root[piece] = root[root[piece]]
        return root[: self._first_made]

    def rows_of(self, piece: int) -> list[int]:
        """Rows of a piece that came into it without another recorded join."""
        parts, rows = [piece], []
        while parts:
            at = parts.pop()
            if at in self._parts:
                parts.extend(part for part in self._parts[at] if part not in self.joins)
            else:
                rows.extend(np.flatnonzero(self._labels == at).tolist())
        return rows


def _means(
    unit: NDArray[np.float32], labels: NDArray[np.int64], sizes: NDArray[np.int64], people: People
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Means (m, dim) at length 1 of the clusters, then of the people, and how long the sums (m,) were."""
    mean = np.empty((len(sizes) + len(people.faces), unit.shape[1]), np.float32)
    length = np.ones(len(mean))
    several = np.flatnonzero(sizes > 1)
    rows = np.flatnonzero(sizes[labels] == 1)
    mean[labels[rows]] = unit[rows]  # most clusters are one face
    rows = np.flatnonzero(sizes[labels] > 1)
    groups = sums_by(np.searchsorted(several, labels[rows]), unit[rows], len(several))
    for at, sums in ((several, groups), (np.arange(len(sizes), len(mean)), people.sums)):
        mean[at], length[at] = normalised(sums), np.linalg.norm(sums, axis=1)
    return mean, length

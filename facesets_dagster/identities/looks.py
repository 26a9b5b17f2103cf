"""Which faces of a cluster are copies of one photo, so that a person is founded by photos and not by files.

Two faces may show one photo if their embeddings are very near (resized, recompressed, grey, mirrored or cropped copies
stay so) and their landmarks lie alike. Two photos of one moment may be as near: what tells them from copies are the
pixels, small grey pictures of the aligned faces, which are asked for only where the answer depends on them.

Faces are grouped around the one with most copies, and reach no farther than copies of its copies: a long series of
frames, each like the next, is not one photo. Figures: `docs/decisions/looks.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

_MOVED = 1
"""A copy's landmarks are found a little elsewhere: pictures are compared up to so many px apart."""
_SHAPE = 0.07
"""Largest distance of the landmarks of two copies, of their own size, once laid over each other."""
_PICTURE = 0.93
"""Least correlation of the pictures of two copies."""
_MIRRORED = (1, 0, 2, 4, 3)
"""Landmarks in the order of the mirrored face."""
_JUDGED = 256
"""So many faces are held against each other at once; of more, as many spread evenly."""

Pictures = Callable[[Sequence[str]], Mapping[str, NDArray[np.uint8]]]
"""face_ids -> face_id -> grey picture (side, side) of the aligned face; a face whose photo cannot be read is absent."""


@dataclass(frozen=True)
class ClusterFaces:
    """Faces of one cluster, row by row."""

    ids: Sequence[str]
    photos: NDArray[np.object_]
    """(n,): contents."""
    unit: NDArray[np.float32]
    """(n, dim)."""
    kps: NDArray[np.floating]
    """(n, 5, 2), px."""


def no_pictures(_: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    """Where no photo can be opened: only one file's faces are one look."""
    return {}


def distinct_photos(
    rows: pl.DataFrame, unit: NDArray[np.float32], similarity: float, enough: int, pictures: Pictures
) -> tuple[int, dict[str, int]]:
    """How many photos a cluster's faces come from; face_id -> number of its look, where copies may decide.

    `rows`: of the face table; `unit` (n, dim): their embeddings; `similarity`: 0 where only copies of bytes count once.
    """
    contents = rows["sha256"].n_unique()
    if contents < enough or not similarity:
        return contents, {}
    ids = rows["face_id"].to_list()
    faces = ClusterFaces(ids, rows["sha256"].to_numpy(), unit, rows["kps"].to_numpy())
    numbers = look_numbers(faces, similarity, enough, pictures)
    if numbers is None:
        return contents, {}
    return int(numbers.max()) + 1, dict(zip(ids, numbers.tolist(), strict=True))


def look_numbers(faces: ClusterFaces, similarity: float, enough: int, pictures: Pictures) -> NDArray[np.int64] | None:
    """The number (n,) of each face's look, 0, 1, ...; None if there are `enough` looks whatever the pictures show.

    `similarity`: least cosine similarity of two copies.
    """
    alike = _Alike(faces, similarity)
    if not len(faces.ids) or _grouped(alike.may_be_copies, len(faces.ids), enough).max() >= enough - 1:
        return None
    alike.look_at(pictures(alike.in_doubt()))
    return _grouped(alike.are_copies, len(faces.ids), None)


_Rows = NDArray[np.int64]
_Near = Callable[[_Rows, _Rows], NDArray[np.bool_]]
"""Rows (n,), rows (m,) -> (n, m)."""


def _grouped(near: _Near, count: int, enough: int | None) -> NDArray[np.int64]:
    """Numbers (n,) of groups; -1 for rows that are in none yet when there are `enough`."""
    numbers, free, group = np.full(count, -1, np.int64), np.arange(count), 0
    while len(free) and group != enough:
        judged = _spread(free)
        leader = judged[near(judged, judged).sum(axis=1).argmax()]
        copies = free[near(free, leader[None])[:, 0]]
        reached = near(free, _spread(copies)).any(axis=1) | np.isin(free, copies)
        numbers[free[reached]] = group
        free, group = free[~reached], group + 1
    return numbers


def _spread(rows: _Rows) -> _Rows:
    """At most `_JUDGED` of the rows."""
    return rows if len(rows) <= _JUDGED else rows[np.linspace(0, len(rows) - 1, _JUDGED).astype(np.int64)]


class _Alike:
    """Compares faces of one cluster."""

    def __init__(self, faces: ClusterFaces, similarity: float) -> None:
        self._faces, self._similarity = faces, similarity
        self._shape = _shapes(faces.kps)
        self._mirrored = _shapes(np.asarray(faces.kps, np.float64).reshape(-1, 5, 2)[:, _MIRRORED] * (-1, 1))
        self._middle = np.zeros((len(faces.ids), 0), np.float32)
        self._windows: list[NDArray[np.float32]] = []

    def in_doubt(self) -> list[str]:
        """face_ids of those that may be copies of another photo's."""
        everybody = np.arange(len(self._faces.ids))
        others = _spread(everybody)
        partner = (self.may_be_copies(everybody, others) & ~self._one_photo(everybody, others)).any(axis=1)
        return [self._faces.ids[row] for row in np.flatnonzero(partner).tolist()]

    def look_at(self, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Takes the pictures in; a face without one is nobody's copy."""
        if not pictures:
            return
        blank = np.zeros_like(next(iter(pictures.values())))
        stack = np.array([pictures.get(face_id, blank) for face_id in self._faces.ids])
        inner = stack.shape[1] - 2 * _MOVED
        places = [(y, x) for y in range(2 * _MOVED + 1) for x in range(2 * _MOVED + 1)]
        for side in (stack, stack[:, :, ::-1]):
            self._windows += [_standardised(side[:, y : y + inner, x : x + inner]) for y, x in places]
        self._middle = _standardised(stack[:, _MOVED : _MOVED + inner, _MOVED : _MOVED + inner])

    def may_be_copies(self, rows: _Rows, others: _Rows) -> NDArray[np.bool_]:
        """By embeddings and landmarks, (n, m); faces of one photo are one look."""
        faces = self._faces
        near = faces.unit[rows] @ faces.unit[others].T >= self._similarity
        overlap = np.abs(self._shape[rows].conj() @ self._shape[others].T)
        turned = np.abs(self._shape[rows].conj() @ self._mirrored[others].T)
        near &= np.maximum(overlap, turned) ** 2 >= 1 - _SHAPE**2
        return near | self._one_photo(rows, others)

    def are_copies(self, rows: _Rows, others: _Rows) -> NDArray[np.bool_]:
        """By the pictures too."""
        best = np.full((len(rows), len(others)), -1.0, np.float32)
        for window in self._windows:
            np.maximum(best, self._middle[rows] @ window[others].T, out=best)
            np.maximum(best, window[rows] @ self._middle[others].T, out=best)
        return (self.may_be_copies(rows, others) & (best >= _PICTURE)) | self._one_photo(rows, others)

    def _one_photo(self, rows: _Rows, others: _Rows) -> NDArray[np.bool_]:
        return np.asarray(self._faces.photos[rows][:, None] == self._faces.photos[others][None], np.bool_)


def _shapes(kps: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Landmarks (n, 5, 2) as complex numbers (n, 5) of mean 0 and length 1: alike but for place, size and turn."""
    points = np.asarray(kps, np.float64).reshape(-1, 5, 2)
    numbers = points[..., 0] + 1j * points[..., 1]
    centred = numbers - numbers.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9), np.complex128)


def _standardised(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures (n, h, w) as rows (n, h x w) of mean 0 and length 1; a flat one is all 0."""
    rows = windows.reshape(len(windows), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6), np.float32)

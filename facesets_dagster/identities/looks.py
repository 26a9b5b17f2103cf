"""Which faces of a person are copies of one photo, so that photos are counted and exported, and not files.

Two faces may show one photo if their embeddings are very near (resized, recompressed, grey, mirrored or cropped copies
stay so) and their landmarks lie alike. Two photos of one moment may be as near: what tells them from copies are the
pixels, small grey pictures of the aligned faces, which are needed only where the answer depends on them.

Faces are grouped around the one with most copies, and reach no farther than copies of its copies: a long series of
frames, each like the next, is not one photo. Figures: `docs/decisions/looks.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.overlays import correlation_laid_over, correlations

_SHAPE = 0.09
"""Largest distance of the landmarks of two copies, of their own size, once laid over each other."""
_PICTURE, _OPEN = 0.97, 0.5
"""Least correlation of the pictures of two copies, one laid over the other; least as they lie where that is tried."""
_PARTNERS = 32
"""It is tried with so many others, the most alike."""
_MIRRORED = (1, 0, 2, 4, 3)
"""Landmarks in the order of the mirrored face."""
_BLOCK = 256
"""Rows held against all others at a time; and, where only a count is wanted, so many of all, spread evenly."""
_JUDGED = 4096
"""So many faces are held against each other; of more, as many spread evenly, and the rest go with the most similar."""

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
    return np.unique(_looks(alike, pictures), return_inverse=True)[1]


def looks_of(rows: pl.DataFrame, unit: NDArray[np.float32], similarity: float, pictures: Pictures) -> NDArray[np.int64]:
    """For each face (n,) the position of the first one of its look; its own where no other photo is a copy.

    `rows`: of the face table; `unit` (n, dim): their embeddings; `similarity`: 0 where nothing is compared.
    """
    if not similarity or len(rows) < 2:
        return np.arange(len(rows))
    faces = ClusterFaces(rows["face_id"].to_list(), rows["sha256"].to_numpy(), unit, rows["kps"].to_numpy())
    return _looks(_Alike(faces, similarity), pictures)


_Rows = NDArray[np.int64]
_Near = Callable[[_Rows, _Rows], NDArray[np.bool_]]
"""Rows (n,), rows (m,) -> (n, m)."""


def _looks(alike: "_Alike", pictures: Pictures) -> NDArray[np.int64]:
    looks = np.arange(len(alike.faces.ids))
    judged = _spread(looks, _JUDGED)
    near = np.concatenate([alike.may_be_copies(rows, judged) for rows in _blocks(judged)])
    in_doubt = near.sum(axis=1) > 1
    judged, near = judged[in_doubt], near[in_doubt][:, in_doubt]
    if len(judged):
        copies = near & _same_pictures(near, pictures([alike.faces.ids[row] for row in judged.tolist()]), alike, judged)
        copies |= alike.one_photo(judged, judged)
        groups = _grouped(lambda rows, others: copies[np.ix_(rows, others)], len(judged), None)
        first = np.unique(groups, return_index=True)[1]
        looks[judged] = judged[first[groups]]
    return _with_the_rest(alike, looks, judged)


def _same_pictures(
    near: NDArray[np.bool_], pictures: Mapping[str, NDArray[np.uint8]], alike: "_Alike", judged: _Rows
) -> NDArray[np.bool_]:
    """(k, k): whether the pictures of the judged faces are alike; a face without one is nobody's copy."""
    same = np.zeros(near.shape, np.bool_)
    if not pictures:
        return same
    blank = np.zeros_like(next(iter(pictures.values())))
    stack = np.array([pictures.get(alike.faces.ids[row], blank) for row in judged.tolist()])
    every, open_pairs = np.arange(len(judged)), [np.zeros((0, 2), np.int64)]
    for rows in _blocks(every):
        found = np.where(near[rows], correlations(stack[rows], stack), -1.0)
        same[rows] = found >= _PICTURE
        found[same[rows] | (found < _OPEN)] = -1.0
        best = np.argsort(-found, axis=1, kind="stable")[:, :_PARTNERS]
        row, rank = np.nonzero(np.take_along_axis(found, best, axis=1) > 0)
        open_pairs.append(np.sort(np.stack([rows[row], best[row, rank]], axis=1), axis=1))
    pairs = np.unique(np.concatenate(open_pairs), axis=0)
    pairs = pairs[correlation_laid_over(stack[pairs[:, 0]], stack[pairs[:, 1]]) >= _PICTURE]
    same[pairs[:, 0], pairs[:, 1]] = True
    return same | same.T


def _with_the_rest(alike: "_Alike", looks: NDArray[np.int64], judged: _Rows) -> NDArray[np.int64]:
    """`looks` of those that were judged, and of so many faces that not all were: as the most similar judged one's."""
    every = np.arange(len(looks))
    if len(every) <= _JUDGED or not len(judged):
        return looks
    for rows in _blocks(np.setdiff1d(every, _spread(every, _JUDGED))):
        nearest = judged[(alike.faces.unit[rows] @ alike.faces.unit[judged].T).argmax(axis=1)]
        near = np.array(
            [alike.may_be_copies(row[None], one[None])[0, 0] for row, one in zip(rows, nearest, strict=True)]
        )
        looks[rows[near]] = looks[nearest[near]]
    return looks


def _blocks(rows: _Rows) -> Sequence[_Rows]:
    return [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]


def _grouped(near: _Near, count: int, enough: int | None) -> NDArray[np.int64]:
    """Numbers (n,) of groups; -1 for rows that are in none yet when there are `enough`."""
    numbers, free, group = np.full(count, -1, np.int64), np.arange(count), 0
    while len(free) and group != enough:
        judged = _spread(free, _BLOCK)
        leader = judged[near(judged, judged).sum(axis=1).argmax()]
        copies = free[near(free, leader[None])[:, 0]]
        reached = near(free, _spread(copies, _BLOCK)).any(axis=1) | np.isin(free, copies)
        numbers[free[reached]] = group
        free, group = free[~reached], group + 1
    return numbers


def _spread(rows: _Rows, most: int) -> _Rows:
    """At most so many of the rows."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


class _Alike:
    """Compares faces of one person by what is known of them without pixels."""

    def __init__(self, faces: ClusterFaces, similarity: float) -> None:
        self.faces, self._similarity = faces, similarity
        self._shape = _shapes(faces.kps)
        self._mirrored = _shapes(np.asarray(faces.kps, np.float64).reshape(-1, 5, 2)[:, _MIRRORED] * (-1, 1))

    def may_be_copies(self, rows: _Rows, others: _Rows) -> NDArray[np.bool_]:
        """By embeddings and landmarks, (n, m); faces of one photo are one look."""
        near = self.faces.unit[rows] @ self.faces.unit[others].T >= self._similarity
        overlap = np.abs(self._shape[rows].conj() @ self._shape[others].T)
        turned = np.abs(self._shape[rows].conj() @ self._mirrored[others].T)
        near &= np.maximum(overlap, turned) ** 2 >= 1 - _SHAPE**2
        return near | self.one_photo(rows, others)

    def one_photo(self, rows: _Rows, others: _Rows) -> NDArray[np.bool_]:
        """Whether faces are of one content, (n, m)."""
        return np.asarray(self.faces.photos[rows][:, None] == self.faces.photos[others][None], np.bool_)


def _shapes(kps: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Landmarks (n, 5, 2) as complex numbers (n, 5) of mean 0 and length 1: alike but for place, size and turn."""
    points = np.asarray(kps, np.float64).reshape(-1, 5, 2)
    numbers = points[..., 0] + 1j * points[..., 1]
    centred = numbers - numbers.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9), np.complex128)

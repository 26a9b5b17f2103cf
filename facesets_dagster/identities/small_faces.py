"""Faces too small to say who they are: they found and bridge nothing, and join last."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import cosine_distance, nearest, normalised, sums_by
from facesets_dagster.identities.joining import Join, Joined, People
from facesets_dagster.identities.links import NO_LINKS, RowLinks
from facesets_dagster.linkage import by_size


def join_last(
    joined: Joined,
    linked: NDArray[np.bool_],
    unit: NDArray[np.float32],
    people: People,
    most: float,
    links: RowLinks = NO_LINKS,
    refused: NDArray[np.int64] = NO_LINKS.apart,
) -> Joined:
    """The clusters of all unit rows (n, dim), from those of the `linked` (n,) ones.

    A row that was not linked joins the nearest group, a cluster of several faces or one of `people`, if the group's
    mean lies within `most`, else it is a cluster of its own. It moves no mean. `links`: rows that go together, and rows
    that never do; `refused` (m, 2): a row, and the one of `people` who never has it.
    """
    rows, late = np.flatnonzero(linked), np.flatnonzero(~linked)
    clusters, known = int(joined.labels.max(initial=-1)) + 1, len(people.faces)
    group = np.where(joined.person >= 0, joined.person, known + joined.labels)
    sums, sizes = _grouped(unit[rows], group, people, clusters)
    several = np.flatnonzero(sizes >= 2)
    groups = _Groups(several, normalised(sums[several]), sizes, most)
    found = np.empty(len(unit), np.int64)
    found[rows], found[late] = group, known + clusters + np.arange(len(late))
    joins = {int(rows[row]): join for row, join in joined.joins.items()}
    bound = sorted({*links.pairs().ravel().tolist(), *links.group_of(), *refused[:, 0].tolist()} & {*late.tolist()})
    alone = late[~np.isin(late, bound)]
    at, distance = nearest(unit[alone], groups.means)
    near = (at >= 0) & (distance <= most)
    found[alone[near]] = several[at[near]]
    for row, far, faces in zip(
        alone[near].tolist(), distance[near].tolist(), sizes[found[alone[near]]].tolist(), strict=True
    ):
        joins[row] = Join(far, most, 1, faces)
    if bound:
        _Bound(linked, links, refused, found, joins).join(bound, unit, groups)
    free = found >= known
    labels = np.full(len(unit), -1, np.int64)
    labels[free] = by_size(found[free])
    return Joined(labels, np.where(free, -1, found), joins)


@dataclass(frozen=True)
class _Groups:
    """Clusters of several faces, and people."""

    numbers: NDArray[np.int64]
    """(g,)"""
    means: NDArray[np.float32]
    """(g, dim), unit length."""
    sizes: NDArray[np.int64]
    """By number."""
    most: float


class _Bound:
    """Rows of which rulings say with whom they go."""

    def __init__(
        self,
        linked: NDArray[np.bool_],
        links: RowLinks,
        refused: NDArray[np.int64],
        found: NDArray[np.int64],
        joins: dict[int, Join],
    ) -> None:
        """`found` (n,): group of each row; it and `joins` are written to."""
        self._placed, self._found, self._joins = linked.copy(), found, joins
        self._group_of = links.group_of()
        self._others: dict[int, set[int]] = {}
        for first, second in links.pairs().tolist():
            self._others.setdefault(first, set()).add(second)
            self._others.setdefault(second, set()).add(first)
        self._refused: dict[int, set[int]] = {}
        for row, person in refused.tolist():
            self._refused.setdefault(row, set()).add(person)

    def join(self, rows: list[int], unit: NDArray[np.float32], groups: _Groups) -> None:
        """Those that go with a linked row first, then the nearest."""
        pieces = sorted({tuple(one for one in self._group_of.get(row, (row,)) if one in {*rows}) for row in rows})
        waiting: list[tuple[float, tuple[int, ...]]] = []
        for piece in pieces:
            mates = [row for row in self._group_of.get(piece[0], ()) if self._placed[row]]
            if mates:
                join = self._joins.get(mates[0])
                self._put(piece, int(self._found[mates[0]]), join)
            else:
                distance = cosine_distance(_mean(unit, piece), groups.means)[0]
                waiting.append((float(distance.min(initial=np.inf)), piece))
        for _, piece in sorted(waiting):
            distance = cosine_distance(_mean(unit, piece), groups.means)[0]
            distance[np.isin(groups.numbers, sorted(self._never(piece)))] = np.inf
            best = int(distance.argmin()) if len(distance) else -1
            if best >= 0 and distance[best] <= groups.most:
                number = int(groups.numbers[best])
                join = Join(float(distance[best]), groups.most, len(piece), int(groups.sizes[number]))
                self._put(piece, number, join)
            else:
                self._put(piece, int(self._found[piece[0]]), None)

    def _never(self, piece: tuple[int, ...]) -> set[int]:
        others = {other for row in piece for other in self._others.get(row, ()) if self._placed[other]}
        people = {person for row in piece for person in self._refused.get(row, ())}
        return {int(self._found[other]) for other in others} | people

    def _put(self, piece: tuple[int, ...], number: int, join: Join | None) -> None:
        rows = list(piece)
        self._found[rows], self._placed[rows] = number, True
        if join is not None:
            self._joins.update(dict.fromkeys(rows, join))


def _mean(unit: NDArray[np.float32], piece: tuple[int, ...]) -> NDArray[np.float32]:
    """(1, dim)."""
    return normalised(unit[list(piece)].astype(np.float64).mean(axis=0, keepdims=True))


def _grouped(
    unit: NDArray[np.float32], group: NDArray[np.int64], people: People, clusters: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums (k + clusters, dim) and sizes of the people, then of the clusters; `group` (m,) of unit rows (m, dim)."""
    known = len(people.faces)
    sums = sums_by(group, unit, known + clusters)
    sums[:known] += people.sums
    sizes = np.bincount(group, minlength=known + clusters)
    sizes[:known] += people.faces
    return sums, sizes

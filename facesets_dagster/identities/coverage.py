"""Which faces of a bucket are spoken for: by another bucket's identity, or by one of its own.

The rules: thin eras stand for nobody, an era stands for its parent; foreign identities cover; own identities grow; a
member stays a member and is never covered by an identity founded after its own; a byte copy of somebody's member is
covered by them; a face within reach of two families is flagged ambiguous and goes to the nearest only. Rulings come
first: nobody whom a face is refused to covers it, eras included; whom it belongs to has it; two faces that are two
people never go to one; and people who are ignored have what lies nearer to them than to anybody who is kept.

Faces x identities is never held at once: a block of faces at a time, so that memory is that of the answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.consequences import completed, members_by_name
from facesets_dagster.identities.geometry import RowBlocks
from facesets_dagster.identities.identity import Identity, stacked
from facesets_dagster.identities.ignoring import Reached, within_reach
from facesets_dagster.identities.ruled_coverage import Cells, Hidden, IgnoredFaces, copies_by_ruling, ignored_faces

_BLOCK_DISTANCES = 4_000_000
"""Distances that are held at once: 16 MB."""
_BLOCK_FACES = 65_536
"""Faces that are looked at at once, however few the identities: 134 MB of 512 numbers each."""


@dataclass(frozen=True)
class Coverage:
    """One entry per face; names are None and distances NaN where there is nobody."""

    member_of: tuple[str | None, ...]
    """Live identity of which the face is a member already."""
    copy_of: tuple[str | None, ...]
    """Live identity that has the same bytes as a member, through another bucket."""
    foreign: tuple[str | None, ...]
    foreign_distance: NDArray[np.float32]
    """Nearest identity of another bucket (or of none) that may cover this face."""
    own: tuple[str | None, ...]
    own_distance: NDArray[np.float32]
    """Nearest identity that this bucket founded."""
    second: tuple[str | None, ...]
    second_distance: NDArray[np.float32]
    """Nearest identity of another family than the nearest of all."""
    ignored: IgnoredFaces | None = None
    """None if nobody is ignored."""
    given: NDArray[np.bool_] | None = None
    """Whether a ruling gives the face to its `foreign`; None if it does so with none."""
    bindings: str | None = None
    """Digest of what rulings say of the bucket; None for nothing."""


def cover(
    unit: RowBlocks,
    face_ids: Sequence[str],
    bucket: str,
    identities: Sequence[Identity],
    members: Mapping[str, str],
    copies: Mapping[str, str],
    bindings: Bindings = NO_BINDINGS,
) -> Coverage:
    """Distances of unit rows (n, dim) to all live identities with a centroid, by the rules above.

    `members`: face_id -> name of the live identity, own or extended, that has it; `copies`: face_id -> name of the one
    that has the very same face through another bucket. A copy is that identity's however far it lies from the centroid.
    So is a face that belongs to somebody by a ruling.
    """
    said = bindings.digest()
    by_name = {identity.name: identity for identity in identities if identity.live}
    if said is not None:
        bindings = completed(bindings, members_by_name({**copies, **members}))
        copies = copies_by_ruling(copies, bindings, bucket, by_name)
    known = [identity for identity in by_name.values() if stands_for_somebody(identity) and identity.family in by_name]
    member_of = tuple(members.get(face_id) for face_id in face_ids)
    newest = np.iinfo(np.int64).max
    member_since = np.array([by_name[name].founded if name in by_name else newest for name in member_of], np.int64)
    copy_of = tuple(copies.get(face_id) if face_id not in members else None for face_id in face_ids)
    row_of = {identity.name: index for index, identity in enumerate(known)}
    copied = np.array([row_of.get(name or "", -1) for name in copy_of], np.int64)
    people = _People.of(known, bucket, unit.shape[1])
    hidden = Hidden.of(bindings, face_ids, member_of, _family_numbers(by_name, known, people), people.family)
    found, reached = _Faces(people, member_since, copied, hidden, bindings.people).look_at(unit)
    covered = _as_coverage(found, known, member_of, copy_of)
    if said is None:
        return covered
    taken = {*members, *copies, *bindings.belongs}
    return replace(
        covered,
        ignored=ignored_faces(
            bindings,
            face_ids,
            reached,
            np.fmin(found.own_distance, found.foreign_distance),
            np.array([face in taken for face in face_ids], bool),
        ),
        given=np.array([face in bindings.belongs and face not in members for face in face_ids], bool),
        bindings=said,
    )


def _family_numbers(by_name: Mapping[str, Identity], known: Sequence[Identity], people: "_People") -> dict[str, int]:
    """Name -> number of the family, of all families of which somebody may cover."""
    of_family = {identity.family: int(number) for identity, number in zip(known, people.family, strict=True)}
    return {name: of_family[one.family] for name, one in by_name.items() if one.family in of_family}


def _as_coverage(
    found: "_Nearest",
    known: Sequence[Identity],
    member_of: tuple[str | None, ...],
    copy_of: tuple[str | None, ...],
) -> Coverage:
    """Numbers as names."""
    names = np.array([*(identity.family for identity in known), None], object)
    is_copy = np.array([name is not None for name in copy_of], bool)
    foreign_distance = np.where(is_copy, found.copy_distance, found.foreign_distance)
    foreign = tuple(copy or name for copy, name in zip(copy_of, names[found.foreign].tolist(), strict=True))
    own, second = tuple(names[found.own].tolist()), tuple(names[found.second].tolist())
    return Coverage(
        member_of, copy_of, foreign, foreign_distance, own, found.own_distance, second, found.second_distance
    )


def stands_for_somebody(identity: Identity) -> bool:
    """Whether faces may be covered by it: live, substantive, with a centroid."""
    return identity.live and identity.centroid is not None and identity.kind != "thin_era"


@dataclass(frozen=True)
class _Nearest:
    """Per face (n,): rows of `_People`, -1 for nobody, and distances, NaN for nobody."""

    foreign: NDArray[np.int64]
    foreign_distance: NDArray[np.float32]
    own: NDArray[np.int64]
    own_distance: NDArray[np.float32]
    second: NDArray[np.int64]
    second_distance: NDArray[np.float32]
    copy_distance: NDArray[np.float32]
    """To the identity that has the same bytes."""

    @classmethod
    def nobody(cls, count: int) -> "_Nearest":
        """For so many faces."""

        def rows() -> NDArray[np.int64]:
            return np.full(count, -1, np.int64)

        def distances() -> NDArray[np.float32]:
            return np.full(count, np.nan, np.float32)

        return cls(rows(), distances(), rows(), distances(), rows(), distances(), distances())

    def put(self, block: slice, found: "_Nearest") -> None:
        """Writes the answers for a block of faces."""
        for name, values in vars(found).items():
            getattr(self, name)[block] = values


@dataclass(frozen=True)
class _People:
    """Who may cover a face, as arrays."""

    centroids: NDArray[np.float32]
    """(k, dim), unit length."""
    is_own: NDArray[np.bool_]
    founded: NDArray[np.int64]
    family: NDArray[np.int64]
    """(k,): number of the family."""

    @classmethod
    def of(cls, known: Sequence[Identity], bucket: str, dim: int) -> "_People":
        """The arrays for identities that stand for somebody."""
        return cls(
            stacked([identity.centroid for identity in known if identity.centroid is not None], dim),
            np.array([identity.bucket == bucket for identity in known], bool),
            np.array([identity.founded for identity in known], np.int64),
            np.unique([identity.family for identity in known], return_inverse=True)[1].astype(np.int64),
        )

    def nearest(
        self, unit: NDArray[np.float32], member_since: NDArray[np.int64], copied: NDArray[np.int64], hidden: Cells
    ) -> _Nearest:
        """The answers for unit rows (n, dim); all distances are overwritten on the way. `hidden`: those that do not
        count.
        """
        distance = unit @ self.centroids.T  # as `cosine_distance`, without copies of so many centroids
        np.subtract(np.float32(1.0), distance, out=distance)
        distance.clip(0.0, 2.0, out=distance)
        copied_distance = distance[np.arange(len(unit)), copied]
        copy_distance = np.where(copied >= 0, copied_distance, np.nan).astype(np.float32)
        distance[hidden] = np.inf
        mine = np.flatnonzero(self.is_own)
        own, own_distance = _least(distance[:, mine])
        own = np.where(own >= 0, mine[own], -1) if len(mine) else own
        first = self.family[distance.argmin(axis=1)]
        aside = self._hide_family(distance, first)
        second, second_distance = _least(distance)
        distance[aside[0], aside[1]] = aside[2]
        distance[:, self.is_own] = np.inf
        for row in np.flatnonzero(member_since < np.iinfo(np.int64).max):  # covered by older identities only
            distance[row, self.founded >= member_since[row]] = np.inf
        foreign, foreign_distance = _least(distance)
        return _Nearest(foreign, foreign_distance, own, own_distance, second, second_distance, copy_distance)

    def _hide_family(
        self, distance: NDArray[np.float32], first: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Puts each row's distances to one family out of reach; gives rows, columns and what was there."""
        order = np.argsort(self.family, kind="stable")
        begin, end = (np.searchsorted(self.family[order], first, side=side) for side in ("left", "right"))
        sizes = end - begin
        rows = np.repeat(np.arange(len(first)), sizes)
        columns = order[np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(begin, sizes)]
        hidden = distance[rows, columns]
        distance[rows, columns] = np.inf
        return rows, columns, hidden


@dataclass(frozen=True)
class _Faces:
    """The faces of a bucket, row by row, and who may have them."""

    people: _People
    member_since: NDArray[np.int64]
    """(n,): generation of the identity that has the face; the largest number for none."""
    copied: NDArray[np.int64]
    """(n,): row of `people` that has the same bytes, -1 for none."""
    hidden: Hidden
    ignored: IgnoredPeople

    def look_at(self, unit: RowBlocks) -> tuple[_Nearest, Reached]:
        """The answers for unit rows (n, dim), a block at a time."""
        found, reached = _Nearest.nobody(len(unit)), Reached.nobody(len(unit))
        anybody, ignoring = bool(len(self.people.family)), bool(self.ignored.rulings)
        step = _BLOCK_DISTANCES // max(len(self.people.family), len(self.ignored.exemplars), 1)
        step = min(max(1, step), _BLOCK_FACES)
        for top in range(0, len(unit) if anybody or ignoring else 0, step):
            block = slice(top, top + step)
            rows = unit[block]
            if anybody:
                found.put(block, self._nearest(block, rows))
            if ignoring:
                reached.put(block, within_reach(rows, self.ignored))
        part = self.hidden.part
        while again := part(found.own, found.own_distance) | part(found.foreign, found.foreign_distance):
            for row in sorted(again):
                block = slice(row, row + 1)
                found.put(block, self._nearest(block, unit[block]))
        return found, reached

    def _nearest(self, block: slice, rows: NDArray[np.float32]) -> _Nearest:
        return self.people.nearest(rows, self.member_since[block], self.copied[block], self.hidden.cells(block))


def _least(distance: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Column and value of each row's least distance, the first of equal ones; -1 and NaN where none is in reach."""
    if not distance.shape[1]:
        return np.full(len(distance), -1, np.int64), np.full(len(distance), np.nan, np.float32)
    best = distance.argmin(axis=1)
    values = distance[np.arange(len(distance)), best]
    near = np.isfinite(values)
    return np.where(near, best, -1), np.where(near, values, np.nan).astype(np.float32)

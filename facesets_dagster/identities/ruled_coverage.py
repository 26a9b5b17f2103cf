"""What rulings change in the coverage of a bucket: who may not cover a face, and whom people who are ignored reach.

Part of `coverage`; knows its rows and columns, and no distance to anybody who is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import Bindings
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.ignoring import Reached

Cells = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and columns of distances."""
_NO_CELLS = (np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class IgnoredFaces:
    """One entry per face: the ruling that ignores it, None for none."""

    ruling: tuple[str | None, ...]
    distance: NDArray[np.float32]
    """To the nearest exemplar; NaN for a face that the ruling names."""
    reach: NDArray[np.float32]
    """What the distance was compared with."""


@dataclass(frozen=True)
class Hidden:
    """Families (numbers) that may not cover a row, beyond what the numbers say."""

    family: NDArray[np.int64]
    """(k,): of the columns."""
    refused: dict[int, set[int]] = field(default_factory=dict)
    only: dict[int, int] = field(default_factory=dict)
    """Row -> the one family that may; -1 for none."""
    apart: tuple[tuple[int, int], ...] = ()
    """Pairs of rows that never go to one family."""
    group_of: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Row -> rows of its group, itself included."""

    @classmethod
    def of(
        cls,
        bindings: Bindings,
        face_ids: Sequence[str],
        member_of: Sequence[str | None],
        number_of: Mapping[str, int],
        family: NDArray[np.int64],
    ) -> "Hidden":
        """`member_of` (n,): identity that has the face; `number_of`: identity -> number of its family. Both are of the
        identities that may cover.
        """
        if bindings.is_empty():
            return cls(family)
        row_of = {face: row for row, face in enumerate(face_ids)}
        refused: dict[int, set[int]] = {}
        for face, names in bindings.refused.items():
            if face in row_of:
                own = number_of.get(member_of[row_of[face]] or "", -1)
                refused[row_of[face]] = {number_of[name] for name in names if name in number_of} - {own}
        only = {row_of[face]: number_of.get(name, -1) for face, name in bindings.belongs.items() if face in row_of}
        only = {row: number for row, number in only.items() if member_of[row] is None}
        links = bindings.links(face_ids)
        pairs = ((first, second) for first, second in links.pairs().tolist())
        free = (pair for pair in pairs if member_of[pair[0]] is None and member_of[pair[1]] is None)
        return cls(family, refused, only, tuple(free), links.group_of())

    def cells(self, block: slice) -> Cells:
        """The distances of some rows that nobody is to see; rows are counted from the start of the block."""
        rows: list[NDArray[np.int64]] = []
        columns: list[NDArray[np.int64]] = []
        for row in sorted({*self.refused, *self.only}):
            if block.start <= row < block.stop:
                hide = np.isin(self.family, sorted(self.refused.get(row, ())))
                if row in self.only:
                    hide |= self.family != self.only[row]
                columns.append(np.flatnonzero(hide))
                rows.append(np.full(len(columns[-1]), row - block.start, np.int64))
        return (np.concatenate(rows), np.concatenate(columns)) if rows else _NO_CELLS

    def part(self, column: NDArray[np.int64], distance: NDArray[np.float32]) -> set[int]:
        """Refuses a family to the farther of two rows that are apart and both go there; the rows that change.

        `column` (n,): where each row goes, -1 for nowhere, at `distance` (n,). A group is refused as one.
        """
        changed: set[int] = set()
        for first, second in self.apart:
            if column[first] < 0 or column[second] < 0:
                continue
            number = int(self.family[column[first]])
            settled = changed & {first, second}
            if settled or number != self.family[column[second]]:
                continue
            loser = first if distance[first] > distance[second] else second
            for row in self.group_of.get(loser, (loser,)):
                self.refused.setdefault(row, set()).add(number)
                changed.add(row)
        return changed


def copies_by_ruling(
    copies: Mapping[str, str], bindings: Bindings, bucket: str, live: Mapping[str, Identity]
) -> dict[str, str]:
    """face_id -> identity that has it through another bucket: not one that it is refused to, and whom it belongs to."""
    families = {face: {_family(name, live) for name in names} for face, names in bindings.refused.items()}
    kept = {face: name for face, name in copies.items() if _family(name, live) not in families.get(face, ())}
    given = {face: name for face, name in bindings.belongs.items() if name in live and live[name].bucket != bucket}
    return {**kept, **given}


def _family(name: str, live: Mapping[str, Identity]) -> str:
    return live[name].family if name in live else name


def ignored_faces(
    bindings: Bindings,
    face_ids: Sequence[str],
    reached: Reached,
    kept: NDArray[np.float32],
    spoken_for: NDArray[np.bool_],
) -> IgnoredFaces:
    """Faces that rulings name, and those that lie nearer to somebody who is ignored than to anybody who is kept.

    `kept` (n,): distance to the nearest identity, NaN for none; `spoken_for`
    (n,): rows that are somebody's already. A group is taken as a whole or not at all.
    """
    whose = reached.whose
    taken = (whose >= 0) & ~(reached.distance >= kept) & ~spoken_for
    for group in bindings.links(face_ids).together:
        taken[group] &= taken[group].all()
    names = (*bindings.people.rulings, None)
    ruling = [names[person] for person in np.where(taken, whose, -1).tolist()]
    distance, reach = np.where(taken, reached.distance, np.nan), np.where(taken, reached.reach, np.nan)
    for row, face in enumerate(face_ids):
        if face in bindings.ignored and not spoken_for[row]:
            ruling[row], distance[row], reach[row] = bindings.ignored[face], np.nan, np.nan
    return IgnoredFaces(tuple(ruling), distance, reach)

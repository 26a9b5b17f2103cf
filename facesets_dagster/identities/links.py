"""Which rows are one person and which are two people, as rulings say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class RowLinks:
    """Links of faces as rows of a table."""

    together: tuple[Rows, ...]
    """Disjoint groups of two or more rows that are one person."""
    apart: Rows
    """(m, 2): rows that are two people."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.together) or bool(len(self.apart))

    def group_of(self) -> dict[int, tuple[int, ...]]:
        """Row -> rows of its group, itself included."""
        return {row: tuple(group.tolist()) for group in self.together for row in group.tolist()}

    def pairs(self) -> Rows:
        """`apart` with what follows: who is not one of a group is none of it. (m, 2), the lower row first, sorted."""
        groups = self.group_of()
        found = {
            (min(one, other), max(one, other))
            for first, second in self.apart.tolist()
            for one in groups.get(first, (first,))
            for other in groups.get(second, (second,))
        }
        return as_pairs(sorted(found))

    def among(self, chosen: NDArray[np.bool_]) -> "RowLinks":
        """The links among some of the rows (n,), with the numbers that these have among themselves."""
        if not self or chosen.all():
            return self
        place = np.where(chosen, np.cumsum(chosen) - 1, -1)
        groups = (place[group][place[group] >= 0] for group in self.together)
        pairs = place[self.pairs()]
        return RowLinks(tuple(group for group in groups if len(group) > 1), pairs[(pairs >= 0).all(axis=1)])


def as_pairs(pairs: Sequence[tuple[int, int]]) -> Rows:
    """(m, 2)."""
    return np.array(pairs, np.int64).reshape(-1, 2)


NO_LINKS = RowLinks((), as_pairs([]))

"""Rows near to each other, found in blocks: memory is linear in the number of rows, never rows x rows.

What is made of the pairs: who has a partner at all, stars (a best row and those near to it) and connected components,
inside which any linkage up to that distance gives what it gives for all rows at once.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.linkage import connected

_ROWS, _COLUMNS = 512, 8192
_SLACK = 1e-4
"""Added to a distance before float32 products are compared with it: a component may be too large, never torn."""

FacePairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Row, a later row, their cosine similarity; by row, then by the later row."""


def near_pairs(unit: NDArray[np.float32], min_similarity: float) -> Iterator[FacePairs]:
    """All pairs of unit rows (n, dim) at least as similar as `min_similarity`, a block of whole rows at a time."""
    for top in range(0, len(unit), _ROWS):
        found: list[FacePairs] = []
        for left in range(top, len(unit), _COLUMNS):
            similarity = unit[top : top + _ROWS] @ unit[left : left + _COLUMNS].T
            rows, others = np.nonzero(similarity >= min_similarity)
            later = left + others > top + rows
            rows, others = rows[later], others[later]
            found.append((top + rows, left + others, similarity[rows, others].astype(np.float32)))
        rows, others, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        yield rows[order], others[order], values[order]


def have_partner(unit: NDArray[np.float32], min_similarity: float, photo: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each row (n,): is there a row of another photo as near as that? `photo` (n,): number of the row's photo."""
    found = np.zeros(len(unit), bool)
    for rows, others, _ in near_pairs(unit, min_similarity):
        elsewhere = photo[rows] != photo[others]
        found[rows[elsewhere]] = True
        found[others[elsewhere]] = True
    return found


def stars(
    unit: NDArray[np.float32],
    min_similarity: float,
    agrees: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]],
) -> list[tuple[int, list[int]]]:
    """Sets around their best row; rows (n, dim) come best first.

    The first row that is in no set takes all later rows near to it that `agrees` with and that are in no set yet. So
    every row of a set is near to its best row: nothing is chained. Gives the sets of two and more.
    """
    taken = np.zeros(len(unit), bool)
    found: list[tuple[int, list[int]]] = []
    for rows, others, _ in near_pairs(unit, min_similarity):
        good = agrees(rows, others)
        rows, others = rows[good], others[good]
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        for near in np.split(np.arange(len(rows)), starts[1:]) if len(rows) else []:
            best = int(rows[near[0]])
            copies = others[near][~taken[others[near]]]
            if not taken[best] and len(copies):
                taken[best] = taken[copies] = True
                found.append((best, copies.tolist()))
    return found


def components(unit: NDArray[np.float32], distance: float) -> NDArray[np.int64]:
    """Labels (n,): rows connected by pairs within a cosine distance share one, the smallest row number among them."""
    labels = np.arange(len(unit))
    for rows, others, _ in near_pairs(unit, 1.0 - distance - _SLACK):  # no pair is kept beyond its block
        labels = connected(len(unit), labels[rows], labels[others])[labels]
    return labels

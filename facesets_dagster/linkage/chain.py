"""Average linkage on the graph of near pairs: an exact nearest-neighbour chain over sparse lists.

The average similarity of two clusters of unit rows is the dot product of their plain means, so a cluster is a mean
and a size. Its list holds every living cluster that is similar enough to be joined some day: a joined cluster's
average is at most the larger of its parts', so what is in neither list of two clusters is not in that of their union.
Lists are refreshed when the chain comes by. Cannot-link pairs are entries that are never near and never leave.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Edges = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
"""Row, another row, their cosine similarity."""

_VISITS = 20_000
"""Steps of the chain between two reports of progress."""
_SPARE_ROOM = 1_000_000


@dataclass(frozen=True)
class _Lists:
    """Neighbours of all clusters, in one pair of arrays that is compacted when it is full."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[np.float32]
    used: int


def merge_by_chain(
    mean: NDArray[np.float32],
    size: NDArray[np.int64],
    edges: Callable[[], Iterator[Edges]],
    forbidden: NDArray[np.int32],
    *,
    distance_threshold: float,
    slack: float,
    report: Callable[[int, int], None],
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Pairs (m, 2) of rows whose clusters are joined, and the heights (m,) of the joins, in the order of the chain.

    `mean` (n, dim): unit rows, padded for `dots.dot`; overwritten. `size` (n,): faces that a row stands for. `edges`
    gives all pairs with a similarity >= 1 - distance_threshold - slack, each once; it is called twice. `forbidden`
    (f, 2): rows that are never joined.
    """
    from facesets_dagster.linkage import chain_kernels as kernels

    count, dim = mean.shape
    lists = _lists(count, edges, forbidden)
    start, length, index, value = lists.start, lists.length, lists.index, lists.value
    cut, keep = 1.0 - distance_threshold - slack / 2, np.float32(1.0 - distance_threshold - slack)
    state = np.zeros(7, np.int64)
    state[kernels.TAIL] = lists.used
    root, home = np.arange(2 * count, dtype=np.int32), np.arange(2 * count, dtype=np.int32)
    stamp, slot = np.zeros(2 * count, np.int64), np.full(2 * count, -1, np.int32)
    sizes = np.concatenate([size, np.zeros(count, np.int64)])
    slots = count // 2 + 1  # a sum belongs to at least two rows
    sums, spare = np.empty((slots, dim), np.float64), np.empty(slots, np.int32)
    chain, pairs, heights = np.empty(count + 1, np.int64), np.empty((count, 2), np.int32), np.empty(count, np.float64)
    made_at_compaction = -1
    advanced, idle = (0, 0), 0
    while True:
        why = kernels.run_chain(
            _VISITS, cut, keep, state, start, length, index, value, root, stamp, home, sizes, slot, sums, spare, mean,
            chain, pairs, heights,
        )  # fmt: skip
        made = int(state[kernels.MERGES])
        report(min(int(state[kernels.SEED]), count), count)
        if why == kernels.FINISHED:
            return pairs[:made], heights[:made]
        before, advanced = advanced, (made, int(state[kernels.SEED]))
        idle = idle + 1 if why == kernels.RUNNING and advanced == before else 0
        if idle * _VISITS > 2 * count + _VISITS:  # a chain has no cluster twice
            raise RuntimeError(
                f"The chain of nearest neighbours of {count} rows goes in circles after {made} joins: near pairs are "
                "missing from the graph. This is a fault of the program; please report it with the release."
            )
        if why == kernels.FULL:
            living = np.flatnonzero((root == np.arange(2 * count)) & (length > 0))
            living = living[np.argsort(start[living], kind="stable")]
            state[kernels.TAIL] = kernels.compact(living, start, length, index, value)
            if made == made_at_compaction:  # two long lists need more room than that
                index, value = (np.concatenate([array, np.empty_like(array)]) for array in (index, value))
            made_at_compaction = made


def _lists(count: int, edges: Callable[[], Iterator[Edges]], forbidden: NDArray[np.int32]) -> _Lists:
    """The lists of single rows, with room for those of clusters."""
    from facesets_dagster.linkage import chain_kernels as kernels

    length = np.zeros(2 * count, np.int64)
    for rows, columns, _ in edges():
        kernels.count_neighbours(rows, columns, length)
    never = (
        np.ascontiguousarray(forbidden[:, 0]),
        np.ascontiguousarray(forbidden[:, 1]),
        np.full(len(forbidden), kernels.FORBIDDEN, np.float32),
    )
    kernels.count_neighbours(never[0], never[1], length)
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    used = int(length.sum())
    room = _room(used)
    index, value, ends = np.empty(room, np.int32), np.empty(room, np.float32), start.copy()
    for rows, columns, values in itertools.chain(edges(), [never]):
        kernels.place_edges(rows, columns, values, ends, index, value)
    return _Lists(start, length, index, value, used)


def _room(used: int) -> int:
    """Entries to make room for: two lists are joined beside all others, and more room means fewer moves."""
    return used + max(used // 4, min(used, _SPARE_ROOM))

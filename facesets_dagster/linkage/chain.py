"""Average linkage on the graph of near pairs: an exact nearest-neighbour chain over sparse lists.

The average similarity of two clusters of unit rows is the dot product of their plain means, so a cluster is a mean
and a size. Its list holds every living cluster that is similar enough to be joined some day: a joined cluster's
average is at most the larger of its parts', so what is in neither list of two clusters is not in that of their union.
Lists are refreshed when the chain comes by. Cannot-link pairs are entries that are never near and never leave.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from facesets_dagster.linkage.chain_kernels import Lists, State

Edges = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
"""Row, another row, their cosine similarity."""

_VISITS = 20_000
"""Steps of the chain between two reports of progress."""
_SPARE_ROOM = 1_000_000


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
    clusters = kernels.Clusters(
        root=np.arange(2 * count, dtype=np.int32),
        size=np.concatenate([size, np.zeros(count, np.int64)]),
        stamp=np.zeros(2 * count, np.int64),
    )
    slots = count // 2 + 1
    means = kernels.Means(
        mean=mean,
        home=np.arange(2 * count, dtype=np.int32),
        sums=np.empty((slots, dim), np.float64),
        slot=np.full(2 * count, -1, np.int32),
        spare=np.empty(slots, np.int32),
    )
    found = kernels.Found(np.empty((count, 2), np.int32), np.empty(count, np.float64))
    state, chain = kernels.first_state(int(lists.length.sum())), np.empty(count + 1, np.int64)
    cut, keep = 1.0 - distance_threshold - slack / 2, np.float32(1.0 - distance_threshold - slack)
    made_at_compaction, advanced, idle = -1, (0, 0), 0
    while True:
        why = kernels.run_chain(_VISITS, cut, keep, state, chain, lists, clusters, means, found)
        made, seed = int(state.merges), int(state.seed)
        report(min(seed, count), count)
        if why == kernels.FINISHED:
            return found.pairs[:made], found.heights[:made]
        before, advanced = advanced, (made, seed)
        idle = idle + 1 if why == kernels.RUNNING and advanced == before else 0
        if idle * _VISITS > 2 * count + _VISITS:  # a chain has no cluster twice
            raise RuntimeError(
                f"The chain of nearest neighbours of {count} rows goes in circles after {made} joins: near pairs are "
                "missing from the graph. This is a fault of the program; please report it with the release."
            )
        if why == kernels.FULL:
            lists = _with_room(lists, state, clusters.root, more=made == made_at_compaction)
            made_at_compaction = made


def _with_room(lists: "Lists", state: "State", root: NDArray[np.int32], *, more: bool) -> "Lists":
    """The lists of living clusters moved together; `more`: in twice the room, because that alone was not enough."""
    from facesets_dagster.linkage import chain_kernels as kernels

    living = np.flatnonzero((root == np.arange(len(root))) & (lists.length > 0))
    state.tail = kernels.compact(living[np.argsort(lists.start[living], kind="stable")], lists)
    if not more:
        return lists
    index, value = (np.concatenate([array, np.empty_like(array)]) for array in (lists.neighbour, lists.similarity))
    return lists._replace(neighbour=index, similarity=value)


def _lists(count: int, edges: Callable[[], Iterator[Edges]], forbidden: NDArray[np.int32]) -> "Lists":
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
    room = _room(int(length.sum()))
    lists = kernels.Lists(start, length, np.empty(room, np.int32), np.empty(room, np.float32))
    ends = start.copy()
    for rows, columns, values in itertools.chain(edges(), [never]):
        kernels.place_edges(rows, columns, values, ends, lists)
    return lists


def _room(used: int) -> int:
    """Entries to make room for: two lists are joined beside all others, and more room means fewer moves."""
    return used + max(used // 4, min(used, _SPARE_ROOM))

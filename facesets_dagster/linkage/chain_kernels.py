"""The compiled loops of the chain: edges into lists, lists kept up to date, nearest neighbours, joins.

Clusters are numbered 0..n-1 (rows), then n + number of the merge.
"""

from typing import NamedTuple, Protocol

import numpy as np

from facesets_dagster.linkage.dots import dot
from facesets_dagster.linkage.kernels import Floats, Ints, Longs, Wide, compiled

FORBIDDEN = np.float32(-9.0)
"""Similarity of two clusters that must not be joined: below that of any two vectors."""

RUNNING, FULL, FINISHED = range(3)
"""Why `run_chain` returned: its budget is used up, the lists need room, nothing is left to do."""


class State(Protocol):
    """Where the chain is: a record of integers, changed in place."""

    merges: int
    """Made so far."""
    seed: int
    """The next cluster to start at."""
    visited: int
    """Length of the chain."""
    tail: int
    """End of the used part of the lists."""
    tick: int
    """Stamp of the last list that was made."""
    spare: int
    """Rows of sums that were returned, and are free."""
    slots: int
    """Rows of sums handed out so far."""


_STATE = np.dtype([(name, np.int64) for name in State.__annotations__])


def first_state(tail: int) -> State:
    """Before the first visit; `tail`: entries of the lists of single rows."""
    state: State = np.zeros(1, _STATE).view(np.recarray)[0]
    state.tail = tail
    return state


class Lists(NamedTuple):
    """Neighbours of all clusters, in one pair of arrays that is compacted when it is full."""

    start: Longs
    """(2n,): where a cluster's list begins in `neighbour` and `similarity`."""
    length: Longs
    neighbour: Ints
    """Other clusters."""
    similarity: Floats
    """The similarity to them."""


class Clusters(NamedTuple):
    """What is known of each cluster (2n,)."""

    root: Ints
    """Leads from a cluster to the living one that it went into."""
    size: Longs
    """Faces in it."""
    stamp: Longs
    """Of the last list that it was written to."""


class Means(NamedTuple):
    """Means of living clusters, and the sums that they are made from."""

    mean: Floats
    """(n, dim)."""
    home: Ints
    """(2n,): row of `mean` that has a cluster's mean."""
    sums: Wide
    """(n // 2 + 1, dim): a sum belongs to at least two rows."""
    slot: Ints
    """(2n,): row of `sums` that has a cluster's sum, -1 for a single row."""
    spare: Ints
    """Rows of `sums` that were returned."""


class Found(NamedTuple):
    """The merges, in the order of the chain."""

    pairs: Ints
    """(n, 2): a row of each of the two clusters."""
    heights: Wide
    """(n,): average distance between them."""


@compiled
def count_neighbours(rows: Ints, columns: Ints, degrees: Longs) -> None:
    """Adds edges to the number of neighbours (n,) of both ends."""
    for edge in range(len(rows)):
        degrees[rows[edge]] += 1
        degrees[columns[edge]] += 1


@compiled
def place_edges(rows: Ints, columns: Ints, values: Floats, ends: Longs, lists: Lists) -> None:
    """Writes edges into the lists of both ends; `ends` (n,): where the next entry of each list goes."""
    index, value = lists.neighbour, lists.similarity
    for edge in range(len(rows)):
        row, column = rows[edge], columns[edge]
        index[ends[row]], value[ends[row]] = column, values[edge]
        index[ends[column]], value[ends[column]] = row, values[edge]
        ends[row] += 1
        ends[column] += 1


@compiled
def _root(root: Ints, cluster: int) -> int:
    """The living cluster that a cluster went into."""
    while root[cluster] != cluster:
        root[cluster] = root[root[cluster]]
        cluster = root[cluster]
    return cluster


@compiled
def _arrays(lists: Lists, clusters: Clusters, means: Means) -> tuple[Ints, Floats, Ints, Longs, Floats, Ints]:
    """What a list is written with: its entries and similarities, roots, stamps, means and where they are."""
    return lists.neighbour, lists.similarity, clusters.root, clusters.stamp, means.mean, means.home


@compiled
def _refresh(cluster: int, keep: np.float32, tick: int, lists: Lists, clusters: Clusters, means: Means) -> None:
    """Brings a living cluster's list up to date: entries that were merged become what they are now."""
    index, value, root, stamp, mean, home = _arrays(lists, clusters, means)
    begin, end = lists.start[cluster], lists.start[cluster] + lists.length[cluster]
    for at in range(begin, end):
        if value[at] == FORBIDDEN:
            index[at] = _root(root, index[at])
            stamp[index[at]] = tick
    out, own = begin, mean[home[cluster]]
    for at in range(begin, end):
        other = index[at]
        if value[at] == FORBIDDEN:
            if stamp[other] == tick:
                stamp[other] = -tick  # written once
                index[out], value[out] = other, FORBIDDEN
                out += 1
            continue
        now = _root(root, other)
        if stamp[now] == tick or stamp[now] == -tick:
            continue
        stamp[now] = -tick
        similarity = value[at] if now == other else dot(own, mean[home[now]])
        if similarity >= keep:
            index[out], value[out] = now, similarity
            out += 1
    lists.length[cluster] = out - begin


@compiled
def _joined_list(
    first: int,
    second: int,
    joined: int,
    keep: np.float32,
    state: State,
    lists: Lists,
    clusters: Clusters,
    means: Means,
) -> int:
    """Writes the list of a cluster made of two behind all others; returns its length."""
    index, value, root, stamp, mean, home = _arrays(lists, clusters, means)
    tick, out, own = state.tick, state.tail, mean[home[joined]]
    for cluster in (first, second):
        for at in range(lists.start[cluster], lists.start[cluster] + lists.length[cluster]):
            if value[at] == FORBIDDEN:
                now = _root(root, index[at])
                if stamp[now] != tick:
                    stamp[now] = tick
                    index[out], value[out] = now, FORBIDDEN
                    out += 1
    for cluster in (first, second):
        for at in range(lists.start[cluster], lists.start[cluster] + lists.length[cluster]):
            if value[at] != FORBIDDEN:
                now = _root(root, index[at])
                if now != joined and stamp[now] != tick:
                    stamp[now] = tick
                    similarity = dot(own, mean[home[now]])
                    if similarity >= keep:
                        index[out], value[out] = now, similarity
                        out += 1
    return out - state.tail


@compiled
def _nearest(cluster: int, before: int, lists: Lists) -> tuple[int, np.float32]:
    """The most similar entry of a list and its similarity; ties go to `before`, then to the lower number."""
    index, value = lists.neighbour, lists.similarity
    best, most = -1, FORBIDDEN
    for at in range(lists.start[cluster], lists.start[cluster] + lists.length[cluster]):
        other, similarity = index[at], value[at]
        if similarity > most or (similarity == most and best != before and (other == before or other < best)):
            best, most = other, similarity
    return best, most


@compiled
def _join_means(first: int, second: int, state: State, size: Longs, means: Means) -> tuple[int, float]:
    """Adds the second cluster's sum to the first's; returns its row, and the average similarity of the two."""
    mean, home, sums, slot = means.mean, means.home, means.sums, means.slot
    dim = mean.shape[1]
    at, other = slot[first], slot[second]
    if at < 0:
        if state.spare:
            state.spare -= 1
            at = means.spare[state.spare]
        else:
            at = state.slots
            state.slots += 1
        for k in range(dim):
            sums[at, k] = np.float64(mean[home[first], k]) * size[first]
    product = 0.0
    for k in range(dim):
        addend = sums[other, k] if other >= 0 else np.float64(mean[home[second], k]) * size[second]
        product += sums[at, k] * addend
        sums[at, k] += addend
    if other >= 0:
        means.spare[state.spare] = other
        state.spare += 1
    both = size[first] + size[second]
    for k in range(dim):
        mean[home[first], k] = sums[at, k] / both
    return at, product / (np.float64(size[first]) * size[second])


@compiled
def _join(
    first: int,
    second: int,
    keep: np.float32,
    state: State,
    lists: Lists,
    clusters: Clusters,
    means: Means,
    found: Found,
) -> int:
    """Makes a cluster of two, with its list at the end of the others; returns its number."""
    root, size, home, heights = clusters.root, clusters.size, means.home, found.heights
    count, merge = means.mean.shape[0], state.merges
    joined = count + merge
    found.pairs[merge, 0], found.pairs[merge, 1] = home[first], home[second]
    means.slot[joined], similarity = _join_means(first, second, state, size, means)
    heights[merge] = max(0.0, 1.0 - similarity)
    for cluster in (first, second):
        if cluster >= count:  # rounding must not put a cluster below its parts
            heights[merge] = max(heights[merge], heights[cluster - count])
    home[joined], size[joined] = home[first], size[first] + size[second]
    root[first], root[second], root[joined] = joined, joined, joined
    state.tick += 1
    lists.length[joined] = _joined_list(first, second, joined, keep, state, lists, clusters, means)
    lists.start[joined] = state.tail
    state.tail += lists.length[joined]
    state.merges += 1
    return int(joined)


@compiled
def _seeded(state: State, lists: Lists, root: Ints, chain: Longs) -> bool:
    """Starts a chain at the next living cluster with neighbours; False if there is none."""
    known = len(root) // 2 + state.merges
    while state.seed < known and (root[state.seed] != state.seed or lists.length[state.seed] == 0):
        state.seed += 1
    if state.seed == known:
        return False
    chain[0], state.visited = state.seed, 1
    return True


@compiled
def _forget(cluster: int, state: State, lists: Lists, means: Means) -> None:
    """Empties a cluster's list, and returns the room of its sum: it will never be joined."""
    lists.length[cluster] = 0
    if means.slot[cluster] >= 0:
        means.spare[state.spare] = means.slot[cluster]
        state.spare += 1
        means.slot[cluster] = -1


@compiled
def run_chain(
    budget: int,
    cut: float,
    keep: np.float32,
    state: State,
    chain: Longs,
    lists: Lists,
    clusters: Clusters,
    means: Means,
    found: Found,
) -> int:
    """Follows nearest neighbours and joins those that are each other's, until `budget` visits are used up.

    `cut`: similarity that a join needs; `keep`: that an entry of a list needs, a little less. `chain` (n + 1,): the
    clusters visited. Returns `RUNNING`, `FULL` or `FINISHED`.
    """
    root, length = clusters.root, lists.length
    for _ in range(budget):
        if state.visited == 0 and not _seeded(state, lists, root, chain):
            return FINISHED
        top = int(chain[state.visited - 1])
        if root[top] != top:  # in the chain twice, which rounding can do where distances are equal, and joined since
            state.visited -= 1
            continue
        before = int(chain[state.visited - 2]) if state.visited > 1 else -1
        state.tick += 1
        _refresh(top, keep, state.tick, lists, clusters, means)
        best, most = _nearest(top, before, lists)
        if most < cut:  # it will never be nearer to any: an average is at most the larger of its parts
            _forget(top, state, lists, means)
            state.visited -= 1
            continue
        if best != before:
            if state.visited == len(chain):
                raise RuntimeError("The chain of nearest neighbours does not end; please report this.")
            chain[state.visited] = best
            state.visited += 1
            continue
        if state.tail + length[top] + length[before] > len(lists.neighbour):
            return FULL
        joined = _join(before, top, keep, state, lists, clusters, means, found)
        state.visited -= 2
        if state.visited == 0:
            chain[0], state.visited = joined, 1
    return RUNNING


@compiled
def compact(living: Longs, lists: Lists) -> int:
    """Moves the lists of clusters, given in the order of their starts, together; returns where they end."""
    start, index, value = lists.start, lists.neighbour, lists.similarity
    out = 0
    for cluster in living:
        begin, start[cluster] = start[cluster], out
        for at in range(begin, begin + lists.length[cluster]):
            index[out], value[out] = index[at], value[at]
            out += 1
    return out

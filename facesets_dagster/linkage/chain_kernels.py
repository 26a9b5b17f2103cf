"""The compiled loops of the chain: edges into lists, lists kept up to date, nearest neighbours, joins.

Clusters are numbered 0..n-1 (rows), then n + number of the merge. A list is a stretch of `index` and `value`: other
clusters and the similarity to them. `root` leads from a cluster to the living one that it went into; `home` is the row
of `mean` that has its mean, `slot` that of `sums` with its sum, -1 for a single row.
"""

import numpy as np

from facesets_dagster.linkage.dots import dot
from facesets_dagster.linkage.kernels import Floats, Ints, Longs, Wide, compiled

FORBIDDEN = np.float32(-9.0)
"""Similarity of two clusters that must not be joined: below that of any two vectors."""

MERGES, SEED, CHAIN, TAIL, TICK, SPARE, SLOTS = range(7)
"""Places in the chain's state: merges made, next cluster to start at, length of the chain, end of the used part of the
lists, stamp of the last list that was made, sums given back, sums handed out so far."""

RUNNING, FULL, FINISHED = range(3)
"""Why `run_chain` returned: its budget is used up, the lists need room, nothing is left to do."""


@compiled
def count_neighbours(rows: Ints, columns: Ints, degrees: Longs) -> None:
    """Adds edges to the number of neighbours (n,) of both ends."""
    for edge in range(len(rows)):
        degrees[rows[edge]] += 1
        degrees[columns[edge]] += 1


@compiled
def place_edges(rows: Ints, columns: Ints, values: Floats, ends: Longs, index: Ints, value: Floats) -> None:
    """Writes edges into the lists of both ends; `ends` (n,): where the next entry of each list goes."""
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
def _refresh(
    cluster: int,
    start: Longs,
    length: Longs,
    index: Ints,
    value: Floats,
    root: Ints,
    stamp: Longs,
    tick: int,
    home: Ints,
    mean: Floats,
    keep: np.float32,
) -> None:
    """Brings a living cluster's list up to date: entries that were merged become what they are now."""
    begin, end = start[cluster], start[cluster] + length[cluster]
    for place in range(begin, end):
        if value[place] == FORBIDDEN:
            index[place] = _root(root, index[place])
            stamp[index[place]] = tick
    out, own = begin, mean[home[cluster]]
    for place in range(begin, end):
        other = index[place]
        if value[place] == FORBIDDEN:
            if stamp[other] == tick:
                stamp[other] = -tick  # written once
                index[out], value[out] = other, FORBIDDEN
                out += 1
            continue
        now = _root(root, other)
        if stamp[now] == tick or stamp[now] == -tick:
            continue
        stamp[now] = -tick
        similarity = value[place] if now == other else dot(own, mean[home[now]])
        if similarity >= keep:
            index[out], value[out] = now, similarity
            out += 1
    length[cluster] = out - begin


@compiled
def _joined_list(
    first: int,
    second: int,
    joined: int,
    start: Longs,
    length: Longs,
    index: Ints,
    value: Floats,
    root: Ints,
    stamp: Longs,
    tick: int,
    tail: int,
    home: Ints,
    mean: Floats,
    keep: np.float32,
) -> int:
    """Writes the list of a cluster made of two at `tail`; returns its length."""
    out, own = tail, mean[home[joined]]
    for cluster in (first, second):
        for place in range(start[cluster], start[cluster] + length[cluster]):
            if value[place] == FORBIDDEN:
                now = _root(root, index[place])
                if stamp[now] != tick:
                    stamp[now] = tick
                    index[out], value[out] = now, FORBIDDEN
                    out += 1
    for cluster in (first, second):
        for place in range(start[cluster], start[cluster] + length[cluster]):
            if value[place] != FORBIDDEN:
                now = _root(root, index[place])
                if now != joined and stamp[now] != tick:
                    stamp[now] = tick
                    similarity = dot(own, mean[home[now]])
                    if similarity >= keep:
                        index[out], value[out] = now, similarity
                        out += 1
    return out - tail


@compiled
def _nearest(
    cluster: int, before: int, start: Longs, length: Longs, index: Ints, value: Floats
) -> tuple[int, np.float32]:
    """The most similar entry of a list and its similarity; ties go to `before`, then to the lower number."""
    best, most = -1, FORBIDDEN
    for place in range(start[cluster], start[cluster] + length[cluster]):
        other, similarity = index[place], value[place]
        if similarity > most or (similarity == most and best != before and (other == before or other < best)):
            best, most = other, similarity
    return best, most


@compiled
def _join_means(
    first: int, second: int, size: Longs, home: Ints, slot: Ints, sums: Wide, mean: Floats, state: Longs, spare: Ints
) -> tuple[int, float]:
    """Adds the second cluster's sum to the first's slot; gives the slot and the average similarity between the two."""
    dim = mean.shape[1]
    at, other = slot[first], slot[second]
    if at < 0:
        if state[SPARE]:
            state[SPARE] -= 1
            at = spare[state[SPARE]]
        else:
            at = state[SLOTS]
            state[SLOTS] += 1
        for k in range(dim):
            sums[at, k] = np.float64(mean[home[first], k]) * size[first]
    product = 0.0
    for k in range(dim):
        addend = sums[other, k] if other >= 0 else np.float64(mean[home[second], k]) * size[second]
        product += sums[at, k] * addend
        sums[at, k] += addend
    if other >= 0:
        spare[state[SPARE]] = other
        state[SPARE] += 1
    both = size[first] + size[second]
    for k in range(dim):
        mean[home[first], k] = sums[at, k] / both
    return at, product / (np.float64(size[first]) * size[second])


@compiled
def _join(
    first: int, second: int, keep: np.float32, state: Longs, start: Longs, length: Longs, index: Ints, value: Floats,
    root: Ints, stamp: Longs, home: Ints, size: Longs, slot: Ints, sums: Wide, spare: Ints, mean: Floats, pairs: Ints,
    heights: Wide,
) -> int:  # fmt: skip
    """Makes a cluster of two, with its list at the end of the others; returns its number."""
    count, merge = mean.shape[0], state[MERGES]
    joined = count + merge
    pairs[merge, 0], pairs[merge, 1] = home[first], home[second]
    slot[joined], similarity = _join_means(first, second, size, home, slot, sums, mean, state, spare)
    heights[merge] = max(0.0, 1.0 - similarity)
    for cluster in (first, second):
        if cluster >= count:  # rounding must not put a cluster below its parts
            heights[merge] = max(heights[merge], heights[cluster - count])
    home[joined], size[joined] = home[first], size[first] + size[second]
    root[first], root[second], root[joined] = joined, joined, joined
    state[TICK] += 1
    length[joined] = _joined_list(
        first, second, joined, start, length, index, value, root, stamp, state[TICK], state[TAIL], home, mean, keep
    )
    start[joined] = state[TAIL]
    state[TAIL] += length[joined]
    state[MERGES] += 1
    return int(joined)


@compiled
def run_chain(
    budget: int, cut: float, keep: np.float32, state: Longs, start: Longs, length: Longs, index: Ints, value: Floats,
    root: Ints, stamp: Longs, home: Ints, size: Longs, slot: Ints, sums: Wide, spare: Ints, mean: Floats, chain: Longs,
    pairs: Ints, heights: Wide,
) -> int:  # fmt: skip
    """Follows nearest neighbours and joins those that are each other's, until `budget` visits are used up.

    `cut`: similarity that a join needs; `keep`: that an entry of a list needs, a little less.
    """
    count = mean.shape[0]
    for _ in range(budget):
        if state[CHAIN] == 0:
            known = count + state[MERGES]
            while state[SEED] < known and (root[state[SEED]] != state[SEED] or length[state[SEED]] == 0):
                state[SEED] += 1
            if state[SEED] == known:
                return FINISHED
            chain[0], state[CHAIN] = state[SEED], 1
        top = int(chain[state[CHAIN] - 1])
        if root[top] != top:  # in the chain twice, which rounding can do where distances are equal, and joined since
            state[CHAIN] -= 1
            continue
        before = int(chain[state[CHAIN] - 2]) if state[CHAIN] > 1 else -1
        state[TICK] += 1
        _refresh(top, start, length, index, value, root, stamp, state[TICK], home, mean, keep)
        best, most = _nearest(top, before, start, length, index, value)
        if most < cut:  # it will never be nearer to anybody: an average is at most the larger of its parts
            length[top] = 0
            state[CHAIN] -= 1
            if slot[top] >= 0:
                spare[state[SPARE]] = slot[top]
                state[SPARE] += 1
                slot[top] = -1
            continue
        if best != before:
            if state[CHAIN] == len(chain):
                raise RuntimeError("The chain of nearest neighbours does not end; please report this.")
            chain[state[CHAIN]] = best
            state[CHAIN] += 1
            continue
        if state[TAIL] + length[top] + length[before] > len(index):
            return FULL
        joined = _join(
            before, top, keep, state, start, length, index, value, root, stamp, home, size, slot, sums, spare, mean,
            pairs, heights,
        )  # fmt: skip
        state[CHAIN] -= 2
        if state[CHAIN] == 0:
            chain[0], state[CHAIN] = joined, 1
    return RUNNING


@compiled
def compact(living: Longs, start: Longs, length: Longs, index: Ints, value: Floats) -> int:
    """Moves the lists of clusters, given in the order of their starts, together; returns where they end."""
    out = 0
    for cluster in living:
        begin, start[cluster] = start[cluster], out
        for place in range(begin, begin + length[cluster]):
            index[out], value[out] = index[place], value[place]
            out += 1
    return out

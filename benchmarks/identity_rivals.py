"""Other ways to group faces, on the same embeddings: each gives labels for a threshold.

immich and insightface Studio are written after their published rules, since neither is a library. Single and complete
linkage are SciPy's; Leiden and Infomap those of igraph, on the
graph of pairs within the threshold, weighted by similarity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering_peers import NotInstalled, _alone, _condensed, _cut, chinese_whispers
from facesets_dagster.linkage import average_merges, connected, near_pairs

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Rival:
    """A way to group faces."""

    name: str
    published: float
    """Its usual threshold: a cosine distance, or the smallest cluster of HDBSCAN."""
    thresholds: Sequence[float]
    """Tried on the tuning half."""
    prepare: Callable[[Rows], Callable[[float], Labels]]


def _grid(first: float, last: float, step: float = 0.05) -> list[float]:
    return [round(float(value), 3) for value in np.arange(first, last + step / 2, step)]


def _average(rows: Rows) -> Callable[[float], Labels]:
    merges = average_merges(rows, 0.9)
    return merges.labels_at


def _of_scipy(method: str) -> Callable[[Rows], Callable[[float], Labels]]:
    def prepare(rows: Rows) -> Callable[[float], Labels]:
        from scipy.cluster.hierarchy import linkage

        tree = linkage(_condensed(rows), method)
        return lambda threshold: _cut(tree, threshold)

    return prepare


def _immich(rows: Rows) -> Callable[[float], Labels]:
    """Density of at least 3 faces within the distance; a face joins the nearest that has a person, others wait once."""

    def run(threshold: float) -> Labels:
        near = near_pairs(rows, 1 - threshold).astype(np.int64)
        neighbours: list[list[int]] = [[] for _ in rows]
        for first, second in near.tolist():
            neighbours[first].append(second)
            neighbours[second].append(first)
        similar = [np.array(found, np.int64)[np.argsort(-(rows[found] @ rows[row]), kind="stable")] if found
                   else np.zeros(0, np.int64) for row, found in enumerate(neighbours)]  # fmt: skip
        person, made, waiting = np.full(len(rows), -1, np.int64), 0, list[int]()
        for row, found in enumerate(similar):
            core = len(found) + 1 >= 3
            have = found[person[found] >= 0] if core else found[:0]
            if len(have):
                person[row] = person[have[0]]
            elif core:
                person[row] = made
                made += 1
            else:
                waiting.append(row)
        for row in waiting:
            have = similar[row][person[similar[row]] >= 0]
            if len(have):
                person[row] = person[have[0]]
        return _alone(person)

    return run


def _studio(rows: Rows) -> Callable[[float], Labels]:
    """Density of two: faces within the distance of each other are one person (DBSCAN with two samples)."""

    def run(threshold: float) -> Labels:
        near = near_pairs(rows, 1 - threshold)
        return connected(len(rows), near[:, 0], near[:, 1])

    return run


def _hdbscan(rows: Rows) -> Callable[[float], Labels]:
    """The threshold is the smallest cluster; a selection by distance fails with scikit-learn 1.8 and NumPy 2."""
    from sklearn.cluster import HDBSCAN

    apart = np.clip(1 - rows.astype(np.float64) @ rows.T.astype(np.float64), 0, 2)
    return lambda least: _alone(
        HDBSCAN(min_cluster_size=int(least), min_samples=1, metric="precomputed", copy=True).fit_predict(apart)
    )


def _of_igraph(method: str) -> Callable[[Rows], Callable[[float], Labels]]:
    def prepare(rows: Rows) -> Callable[[float], Labels]:
        try:
            import igraph  # type: ignore[import-untyped]
        except ImportError as error:
            raise NotInstalled("not installed; pip install igraph") from error
        import random

        def run(threshold: float) -> Labels:
            random.seed(0)
            near = near_pairs(rows, 1 - threshold)
            weights = np.einsum("md,md->m", rows[near[:, 0]], rows[near[:, 1]]).clip(1e-6)
            graph = igraph.Graph(len(rows), near.tolist())
            if method == "leiden":
                found = graph.community_leiden("modularity", weights=weights.tolist(), n_iterations=4)
            else:
                found = graph.community_infomap(edge_weights=weights.tolist(), trials=3)
            return np.asarray(found.membership, np.int64)

        return run

    return prepare


def _whispers(rows: Rows) -> Callable[[float], Labels]:
    run = chinese_whispers()
    return lambda threshold: run(rows, threshold)


RIVALS = (
    Rival("average linkage", 0.55, _grid(0.3, 0.88, 0.02), _average),
    Rival("immich", 0.5, _grid(0.35, 0.75), _immich),
    Rival("insightface Studio", 0.52, _grid(0.3, 0.65), _studio),
    Rival("Chinese whispers", 0.5, _grid(0.35, 0.65), _whispers),
    Rival("HDBSCAN", 5, [2, 3, 5], _hdbscan),
    Rival("complete linkage", 0.7, _grid(0.5, 1.0), _of_scipy("complete")),
    Rival("single linkage", 0.5, _grid(0.2, 0.65), _of_scipy("single")),
    Rival("Leiden", 0.5, _grid(0.35, 0.65), _of_igraph("leiden")),
    Rival("Infomap", 0.5, _grid(0.35, 0.65), _of_igraph("infomap")),
)
"""Thresholds not published for cosine distances of ArcFace: those that their users share."""

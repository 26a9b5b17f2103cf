"""The peers of our clustering, each as a careful user would call it. Imports are made before the clock starts."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]
Clustering = Callable[[Rows, float], Labels]


class NotInstalled(Exception):
    """The peer is not there; says how to get it."""


def scikit_learn() -> Clustering:
    from sklearn.cluster import AgglomerativeClustering

    def run(rows: Rows, threshold: float) -> Labels:
        model = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="average", distance_threshold=threshold
        )
        return np.asarray(model.fit_predict(rows), np.int64)

    return run


def scipy() -> Clustering:
    from scipy.cluster.hierarchy import linkage

    return lambda rows, threshold: _cut(linkage(_condensed(rows), "average"), threshold)


def fastcluster() -> Clustering:
    try:
        from fastcluster import linkage
    except ImportError as error:
        raise NotInstalled("not installed; pip install fastcluster") from error

    return lambda rows, threshold: _cut(linkage(_condensed(rows), "average"), threshold)


def dbscan() -> Clustering:
    from sklearn.cluster import DBSCAN

    return lambda rows, threshold: _alone(DBSCAN(eps=0.45, min_samples=2, metric="cosine").fit_predict(rows))


def hdbscan_of_scikit_learn() -> Clustering:
    from sklearn.cluster import HDBSCAN

    return lambda rows, threshold: _alone(HDBSCAN(min_cluster_size=2, copy=True).fit_predict(rows))


def hdbscan() -> Clustering:
    try:
        from hdbscan import HDBSCAN
    except ImportError as error:
        raise NotInstalled("not installed; pip install hdbscan") from error

    return lambda rows, threshold: _alone(HDBSCAN(min_cluster_size=2).fit_predict(rows))


def chinese_whispers() -> Clustering:
    """Labels that most of the neighbours have, twenty rounds, on our own sparse graph."""
    import numba

    from facesets_dagster.linkage import finders, graph

    @numba.njit(nogil=True)
    def whisper(order: Labels, start: Labels, index: Labels, weight: Rows, labels: Labels) -> None:
        heard = np.zeros(len(labels), np.float64)
        for node in order:
            best, most = labels[node], 0.0
            for place in range(start[node], start[node + 1]):
                heard[labels[index[place]]] += weight[place]
            for place in range(start[node], start[node + 1]):
                label = labels[index[place]]
                if heard[label] > most:
                    best, most = label, heard[label]
            for place in range(start[node], start[node + 1]):
                heard[labels[index[place]]] = 0.0
            labels[node] = best

    def run(rows: Rows, threshold: float) -> Labels:
        padded = np.zeros((len(rows), -(-rows.shape[1] // 64) * 64), np.float32)
        padded[:, : rows.shape[1]] = rows
        store, keep = graph.EdgesInMemory(), 1.0 - threshold
        graph.find_edges(padded, keep, finders.choose_finder(padded, keep, "auto"), store, lambda done, total: None)
        first, second, weight = (np.concatenate(part) for part in zip(*store.edges(), strict=True))
        ends = np.concatenate([first, second]).astype(np.int64)
        order = np.argsort(ends, kind="stable")
        index = np.concatenate([second, first]).astype(np.int64)[order]
        weights = np.concatenate([weight, weight])[order]
        start = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=len(rows)))])
        labels, numbers = np.arange(len(rows)), np.random.default_rng(0)
        for _ in range(20):
            whisper(numbers.permutation(len(rows)), start, index, weights, labels)
        return labels

    run(np.eye(4, 64, dtype=np.float32) + np.float32(1.0), 0.9)
    return run


def _condensed(rows: Rows) -> NDArray[np.float64]:
    """Cosine distances as SciPy lays them out, by matrix products: far faster than its own `pdist`."""
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    count = len(wide)
    distances = np.empty(count * (count - 1) // 2, np.float64)
    at = 0
    for top in range(0, count, 256):
        block = 1.0 - wide[top : top + 256] @ wide[top:].T
        for row in range(len(block)):
            line = block[row, row + 1 :]
            distances[at : at + len(line)] = line
            at += len(line)
    return distances.clip(0.0, 2.0, out=distances)


def _cut(tree: NDArray[np.float64], threshold: float) -> Labels:
    """Labels of a tree cut as scikit-learn cuts it: a merge at the threshold itself is not made."""
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(tree, np.nextafter(threshold, 0.0), "distance"), np.int64)


def _alone(labels: NDArray[np.int64]) -> Labels:
    """Noise, labelled -1, as clusters of one."""
    noise = np.flatnonzero(labels < 0)
    labels = labels.astype(np.int64)
    labels[noise] = labels.max(initial=-1) + 1 + np.arange(len(noise))
    return labels


PEERS: dict[str, Callable[[], Clustering]] = {
    "scikit-learn": scikit_learn,
    "scipy": scipy,
    "fastcluster": fastcluster,
    "HDBSCAN (scikit-learn)": hdbscan_of_scikit_learn,
    "hdbscan": hdbscan,
    "DBSCAN": dbscan,
    "Chinese whispers": chinese_whispers,
}

"""One measurement of clustering in a process of its own, so that its peak of memory is its own.

    python -m benchmarks.clustering_jobs NAME '{"rows": "faces.npy", ...}'

Prints one line of JSON. Imports and compilation come before the clock starts; what they cost is a job of its own.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering_peers import PEERS, NotInstalled
from benchmarks.coverage_jobs import coverage, make_coverage
from benchmarks.peak_memory import peak_mb
from benchmarks.product_clock import ProductClock, best_rate
from facesets_dagster import linkage
from facesets_dagster.identities.clustering import average_linkage
from facesets_dagster.linkage import average_merges, finders, graph, solving
from facesets_dagster.linkage.chain import Edges
from facesets_dagster.threads import cores
from testing.hard_faces import hard_faces, photo_pairs

THRESHOLD = 0.55
WARM = 2500
"""Enough faces for the compiled path."""

Answer = dict[str, object]


def timed(work: Callable[[], NDArray[np.int64]]) -> tuple[float, NDArray[np.int64]]:
    start = time.perf_counter()
    labels = work()
    return time.perf_counter() - start, labels


def ours(rows: str, labels: str = "") -> Answer:
    """Our linkage; `labels`: where to put them."""
    faces = np.load(rows)
    average_linkage(hard_faces(WARM)[0], THRESHOLD)
    worked = time.process_time()
    with ProductClock() as clock, _EdgesCounted() as counted:
        seconds, found = timed(lambda: average_linkage(faces, THRESHOLD))
    worked, peak = time.process_time() - worked, peak_mb()
    if labels:
        np.save(labels, found)
    return {
        "seconds": seconds, "processor_seconds": worked, "peak_mb": peak, "edges": counted.edges,
        "product_share": clock.seconds_per_core() / seconds, "processor_share": clock.processor_seconds / worked,
        "product_rate": clock.rate(), "best_rate": best_rate(clock.integer), "integer": clock.integer,
        "width": clock.width,
    }  # fmt: skip


def first_call(rows: str) -> Answer:
    """The first call of a fresh process, imports and compilation included."""
    faces = np.load(rows)
    return {"seconds": timed(lambda: average_linkage(faces, THRESHOLD))[0]}


def peer(rows: str, name: str, labels: str = "") -> Answer:
    """Another program's clustering."""
    faces = np.load(rows)
    try:
        run = PEERS[name]()
    except NotInstalled as missing:
        return {"missing": str(missing)}
    worked = time.process_time()
    seconds, found = timed(lambda: run(faces, THRESHOLD))
    worked, peak = time.process_time() - worked, peak_mb()
    if labels:
        np.save(labels, linkage.by_size(found))
    return {"seconds": seconds, "processor_seconds": worked, "peak_mb": peak}


def cannot_link(rows: str, repeats: int = 5) -> Answer:
    """With and without pairs that share a photo, by turns."""
    faces = np.load(rows)
    pairs = photo_pairs(hard_faces(len(faces))[1])
    average_merges(hard_faces(WARM)[0], THRESHOLD, cannot_link=np.array([[0, 1]]))
    free, bound = [], []
    for _ in range(repeats):
        free.append(timed(lambda: average_merges(faces, THRESHOLD).labels_at(THRESHOLD))[0])
        bound.append(timed(lambda: average_merges(faces, THRESHOLD, cannot_link=pairs).labels_at(THRESHOLD))[0])
    return {"free": float(np.median(free)), "bound": float(np.median(bound)), "pairs": len(pairs)}


def make_faces(rows: str, count: int, dim: int = 512) -> Answer:
    """The hard set as a file."""
    np.save(f"{rows}.part.npy", hard_faces(count, dim)[0])
    Path(f"{rows}.part.npy").replace(rows)
    return {"count": count}


def million(rows: str, scratch: str) -> Answer:
    """A linkage that goes on where it was stopped, with its progress on the standard error."""
    faces = np.load(rows)
    average_linkage(hard_faces(WARM)[0], THRESHOLD)
    start, last = time.perf_counter(), 0.0

    def say(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.perf_counter() - start
        if now - last > 20 or done == total:
            last = now
            print(f"{now:7.0f} s  {phase} {done} of {total}  {peak_mb():.0f} MB", file=sys.stderr, flush=True)

    resumed = sum(1 for _ in Path(scratch).rglob("*.edges"))
    seconds, found = timed(lambda: average_linkage(faces, THRESHOLD, progress=say, scratch=Path(scratch)))
    return {"seconds": seconds, "peak_mb": peak_mb(), "strips_before": resumed, "clusters": int(found.max()) + 1}


def part_of_it(rows: str, every: int) -> Answer:
    """Every so many strips of the graph of many faces: seconds, and edges per tile, to reckon with."""
    faces = np.load(rows)
    average_linkage(hard_faces(WARM)[0], THRESHOLD)
    keep = 1.0 - THRESHOLD - 1e-6
    begin = time.perf_counter()
    unit = solving._rows(faces, THRESHOLD, None, few=False)[0].unit
    finder = finders.choose_finder(unit, keep, "auto")
    prepared = time.perf_counter() - begin
    tiles = -(-len(unit) // finder.tile)
    chosen = set(range(every // 2, tiles, every))
    with ProductClock() as clock, _EdgesCounted() as counted:
        start, worked = time.perf_counter(), time.process_time()
        graph.find_edges(unit, keep, finder, _SomeStrips(chosen), lambda done, total: None)
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
    done = sum(tiles - strip for strip in chosen)
    factor = tiles * (tiles + 1) / 2 / done
    return {
        "prepared": prepared, "seconds": seconds, "share": 1 / factor, "graph_seconds": seconds * factor,
        "graph_seconds_undisturbed": worked * factor / cores(),
        "edges": counted.edges * factor, "product_share": clock.seconds_per_core() / seconds,
        "processor_share": clock.processor_seconds / worked, "width": clock.width,
        "peak_mb": peak_mb(),
    }  # fmt: skip


class _SomeStrips(graph.EdgesInMemory):
    """Says of all strips but some that it has them."""

    def __init__(self, chosen: set[int]) -> None:
        super().__init__()
        self._chosen = chosen

    def has(self, strip: int) -> bool:
        return strip not in self._chosen


class _EdgesCounted:
    """Counts the edges that are kept in memory."""

    def __init__(self) -> None:
        self.edges, self._put = 0, graph.EdgesInMemory.put

    def __enter__(self) -> "_EdgesCounted":
        def put(store: graph.EdgesInMemory, strip: int, edges: Edges) -> None:
            self.edges += len(edges[0])
            self._put(store, strip, edges)

        graph.EdgesInMemory.put = put  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        graph.EdgesInMemory.put = self._put  # type: ignore[method-assign]


JOBS: dict[str, Callable[..., Answer]] = {
    job.__name__: job
    for job in (ours, first_call, peer, cannot_link, make_coverage, coverage, make_faces, million, part_of_it)
}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))

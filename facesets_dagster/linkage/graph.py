"""The graph of near pairs: strip by strip of rows, on all cores, nothing kept but the edges.

Finders propose positions in tiles, the true products of `dots.dot` decide, so that the edges are the same to the bit
whatever proposed them.
"""

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.linkage.chain import Edges
from facesets_dagster.linkage.finders import Finder, TileFinder
from facesets_dagster.threads import cores


class EdgeStore(Protocol):
    """Keeps the edges of strips; called by several threads."""

    def has(self, strip: int) -> bool:
        """Whether a strip is there already."""

    def put(self, strip: int, edges: Edges) -> None:
        """Keeps a strip."""

    def edges(self) -> Iterator[Edges]:
        """All strips, in order."""


class EdgesInMemory:
    """Strips in a dictionary."""

    def __init__(self) -> None:
        self._strips: dict[int, Edges] = {}

    def has(self, strip: int) -> bool:
        """Whether a strip is there already."""
        return strip in self._strips

    def put(self, strip: int, edges: Edges) -> None:
        """Keeps a strip."""
        self._strips[strip] = edges

    def edges(self) -> Iterator[Edges]:
        """All strips, in order."""
        return (self._strips[strip] for strip in sorted(self._strips))


def find_edges(
    unit: NDArray[np.float32],
    keep: float,
    finder: Finder,
    store: EdgeStore,
    report: Callable[[int, int], None],
) -> None:
    """Puts all pairs of unit rows (n, dim) with a similarity >= `keep` into the store, once each.

    `report` is called with the tiles done and all tiles. If it raises, the strips that are done stay in the store.
    """
    tiles = -(-len(unit) // finder.tile)
    missing = [strip for strip in range(tiles) if not store.has(strip)]
    total = tiles * (tiles + 1) // 2
    done = total - sum(tiles - strip for strip in missing)
    workers = max(1, min(cores(), len(missing)))
    idle: queue.SimpleQueue[TileFinder] = queue.SimpleQueue()
    for _ in range(workers if missing else 0):
        idle.put(finder.open())

    def work(strip: int) -> int:
        own = idle.get()
        try:
            store.put(strip, _strip(unit, np.float32(keep), finder.tile, own, strip))
        finally:
            idle.put(own)
        return tiles - strip

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, strip) for strip in missing]
        try:
            for future in as_completed(futures):
                done += future.result()
                report(done, total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _strip(unit: NDArray[np.float32], keep: np.float32, size: int, finder: TileFinder, strip: int) -> Edges:
    """Near pairs of a tile's rows with those of the tile itself and of later ones."""
    from facesets_dagster.linkage import kernels

    finder.take_rows(strip)
    parts: list[Edges] = []
    for tile in range(strip, -(-len(unit) // size)):
        rows, columns = finder.near(tile)
        if not len(rows):
            continue
        values = np.empty(len(rows), np.float32)
        kept = kernels.keep_near(unit, strip * size, tile * size, rows, columns, keep, values)
        parts.append((rows[:kept].copy(), columns[:kept].copy(), values[:kept].copy()))
    if not parts:
        nothing = np.empty(0, np.int32)
        return nothing, nothing, np.empty(0, np.float32)
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, columns, values

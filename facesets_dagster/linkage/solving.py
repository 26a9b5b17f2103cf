"""All merges of average linkage up to a distance: rows made canonical, the graph, the chain, rows as they were."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage.canonical import CanonicalRows, canonical_rows
from facesets_dagster.linkage.chain import merge_by_chain
from facesets_dagster.linkage.dense import FEW, merge_densely
from facesets_dagster.linkage.finders import Arithmetic, choose_finder
from facesets_dagster.linkage.graph import EdgesInMemory, EdgeStore, find_edges
from facesets_dagster.linkage.merges import STARTED, Merges
from facesets_dagster.linkage.scratch import edges_on_disk

Progress = Callable[[str, int, int], None]
"""Called with `pairs` or `merges`, how much is done, and how much there is."""

_SLACK = 1e-6
"""Similarity below the threshold at which pairs still count, so that no rounding loses one."""
_VERSION = 1
"""Of what lies in a scratch folder."""
_SPILL_ROWS = 50_000
"""Fewer rows are done before a restart would pay."""


def average_merges(
    embeddings: NDArray[np.floating],
    distance_threshold: float,
    *,
    together: Sequence[NDArray[np.integer]] = (),
    cannot_link: NDArray[np.integer] | None = None,
    progress: Progress | None = None,
    scratch: Path | None = None,
    arithmetic: Arithmetic | Literal["dense"] = "auto",
) -> Merges:
    """The merges of average linkage on cosine distance whose average distance is at most `distance_threshold`.

    Rows (n, dim) of any length; a zero row is at distance 1 from all. They do not depend on the order of the rows
    nor on the CPU. `together`: disjoint groups of rows; each starts as one cluster. `cannot_link` (m, 2): rows that are
    never in one cluster, nor are clusters that hold them; ties between equal rows that have such pairs go by their
    order. A pair inside a group raises `SettingsError`. `scratch`: a folder for the edges of more than 50,000 rows,
    whence an interrupted call with the same rows and threshold goes on. `arithmetic`: `auto` takes `dense` for few
    rows.
    """
    if arithmetic == "auto" and len(embeddings) <= FEW:
        arithmetic = "dense"
    rows, forbidden = _rows(
        np.asarray(embeddings), distance_threshold, together, cannot_link, few=arithmetic == "dense"
    )
    say = progress or (lambda phase, done, total: None)
    if not len(rows.first):
        return Merges(0, distance_threshold, np.empty((0, 2), np.int64), np.empty(0))
    if arithmetic == "dense":
        found = merge_densely(rows.unit, rows.weight, forbidden, distance_threshold=distance_threshold)
        return _merges(rows, *found, distance_threshold)
    keep = 1.0 - distance_threshold - _SLACK
    finder = choose_finder(rows.unit, keep, arithmetic)
    digest = f"{rows.digest}_{distance_threshold!r}_{finder.tile}_v{_VERSION}"
    with _store(scratch if len(embeddings) > _SPILL_ROWS else None, digest) as store:
        find_edges(rows.unit, keep, finder, store, lambda done, total: say("pairs", done, total))
        del finder
        pairs, heights = merge_by_chain(
            rows.unit,
            rows.weight,
            store.edges,
            forbidden.astype(np.int32),
            distance_threshold=distance_threshold,
            slack=_SLACK,
            report=lambda done, total: say("merges", done, total),
        )
    return _merges(rows, pairs, heights, distance_threshold)


@contextmanager
def _store(scratch: Path | None, digest: str) -> Iterator[EdgeStore]:
    if scratch is None:
        yield EdgesInMemory()
        return
    with edges_on_disk(scratch, digest) as store:
        yield store


def _rows(
    embeddings: NDArray[np.floating],
    distance_threshold: float,
    together: Sequence[NDArray[np.integer]],
    cannot_link: NDArray[np.integer] | None,
    *,
    few: bool,
) -> tuple[CanonicalRows, NDArray[np.int64]]:
    """The rows to solve for, and the pairs (f, 2) of them that must not be joined."""
    if embeddings.ndim != 2 or not 0 <= distance_threshold <= 2:
        raise SettingsError(
            f"Linkage was given an array of shape {embeddings.shape} and a distance of {distance_threshold}. Expected "
            "one row per face and a cosine distance from 0 to 2."
        )
    given = np.asarray(np.empty((0, 2)) if cannot_link is None else cannot_link, np.int64).reshape(-1, 2)
    given = given[given[:, 0] != given[:, 1]]
    apart = np.zeros(len(embeddings), bool)
    apart[given] = True
    rows = canonical_rows(embeddings, apart, _groups(together), few=few)
    forbidden = np.unique(np.sort(rows.distinct[given], axis=1), axis=0)
    if (forbidden[:, 0] == forbidden[:, 1]).any():
        raise SettingsError(
            "Two rows are to start in one cluster and are never to be in one. Expected groups of `together` without a "
            "pair of `cannot_link` inside. Take one of the two back."
        )
    return rows, forbidden


def _groups(together: Sequence[NDArray[np.integer]]) -> list[NDArray[np.int64]]:
    """Those of several rows, each row once."""
    found = [np.unique(np.asarray(group, np.int64)) for group in together]
    found = [group for group in found if len(group) > 1]
    rows, times = np.unique(np.concatenate([np.empty(0, np.int64), *found]), return_counts=True)
    if (times > 1).any():
        raise SettingsError(
            f"Row {rows[times > 1][0]} is in two groups that are to start as one cluster each. Expected disjoint "
            "groups: make one of those that share a row."
        )
    return found


def _merges(
    rows: CanonicalRows, pairs: NDArray[np.int32], heights: NDArray[np.float64], distance_threshold: float
) -> Merges:
    """Merges of the caller's rows, copies of a row first, and none that lies above the threshold by rounding."""
    copies = np.flatnonzero(rows.first[rows.distinct] != np.arange(len(rows.distinct)))
    started = rows.distinct[copies] >= rows.single
    near = heights <= distance_threshold
    made = np.concatenate([np.stack([rows.first[rows.distinct[copies]], copies], axis=1), rows.first[pairs[near]]])
    high = np.concatenate([np.where(started, STARTED, 0.0), heights[near]])
    order = np.argsort(high, kind="stable")  # a cluster's own merges stay before those that it goes into
    return Merges(len(rows.distinct), distance_threshold, made[order], high[order])

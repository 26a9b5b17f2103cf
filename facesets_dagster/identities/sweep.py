"""The cluster tables of one bucket at many parameters, by the functions of the main chain, with their work shared.

Distances to the library are computed once. Faces are sorted out once per cover distance and mode, and the linkage runs
once on those who are left, up to the largest cluster distance, and is cut lower for every other. Ask for points with
the same cover distance and mode one after the other: only the last set of faces is kept, so that memory stays that of
one run.
"""

from collections.abc import Set as AbstractSet

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.identities.coverage import Coverage
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.identities.discovery import judge_clusters
from facesets_dagster.identities.links import NO_LINKS, RowLinks
from facesets_dagster.identities.looks import Pictures, no_pictures
from facesets_dagster.identities.sorted_out import SortedOut, sort_out
from facesets_dagster.linkage import average_merges


class ClusterSweep:
    """Coverage and cluster tables of a bucket's faces at any cover distance, gates and cluster distance."""

    def __init__(
        self,
        faces: pl.DataFrame,
        coverage: Coverage,
        *,
        own: AbstractSet[str],
        pinned: AbstractSet[str],
        generation: int,
        model_id: str,
        largest_cluster_distance: float,
        pictures: Pictures = no_pictures,
        bindings: Bindings = NO_BINDINGS,
    ) -> None:
        """`faces`: face table, in the order of `coverage`; `own`: live identities that the bucket founded; `pinned`:
        faces that stay members whatever the parameters; `pictures`: of faces that may be copies; `bindings`: what
        rulings say of the faces.
        """
        self._faces, self._coverage, self._own, self._pinned = faces, coverage, own, pinned
        self._ids = faces["face_id"].to_list()
        self._generation, self._model_id = generation, model_id
        self._largest = largest_cluster_distance
        self._pictures, self._bindings = pictures, bindings
        self._tables: dict[float, pl.DataFrame] = {}
        self._sorted: tuple[tuple[object, ...], SortedOut] | None = None
        self._cuts: tuple[list[str], Cuts] | None = None

    def coverage_at(self, cover_distance: float) -> pl.DataFrame:
        """What `osrc_uncovered` gives."""
        if cover_distance not in self._tables:
            self._tables[cover_distance] = coverage_table(
                self._ids,
                self._coverage,
                cover_distance=cover_distance,
                generation=self._generation,
                model_id=self._model_id,
            )
        return self._tables[cover_distance]

    def clusters_at(self, cover_distance: float, parameters: DiscoveryParameters, mode: str) -> pl.DataFrame:
        """The frame that `osrc_clusters` gives."""
        found = self._sorted_out(cover_distance, parameters, mode)
        labels = self._cuts_of(found).labels_at(parameters.cluster_distance)
        return judge_clusters(found, labels, parameters, self._pictures)

    def _sorted_out(self, cover_distance: float, parameters: DiscoveryParameters, mode: str) -> SortedOut:
        joins = mode == "grow" and bool(self._own)  # only faces that may join one are gated before
        key = (
            cover_distance,
            mode,
            parameters.min_clustered_px,
            (parameters.gates(), parameters.join_rule()) if joins else None,
        )
        if self._sorted is None or self._sorted[0] != key:
            table = self.coverage_at(cover_distance)
            found = sort_out(self._faces, table, parameters, mode, self._own, self._pinned, self._bindings)
            self._sorted = (key, found)
        return self._sorted[1]

    def _cuts_of(self, found: SortedOut) -> "Cuts":
        ids = found.rest["face_id"].filter(pl.Series(found.linked)).to_list()
        if self._cuts is None or self._cuts[0] != ids:
            self._cuts = (ids, Cuts(found.to_link(), self._largest, found.links.among(found.linked)))
        return self._cuts[1]


class Cuts:
    """The partitions of the same faces at several distances."""

    def __init__(self, unit: NDArray[np.float32], largest: float, links: RowLinks = NO_LINKS) -> None:
        """`unit`: rows (n, dim); `largest`: the largest distance that will be needed; `links`: what rulings say."""
        self._count = len(unit)
        self._merges = (
            average_merges(unit, largest, together=links.together, cannot_link=links.apart) if len(unit) > 1 else None
        )

    def labels_at(self, distance: float) -> NDArray[np.int64]:
        """The labels (n,) of `average_linkage` at this distance."""
        return self._merges.labels_at(distance) if self._merges else np.zeros(self._count, np.int64)

"""New people of a bucket: the domain call behind `osrc_clusters`. The library is only read."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.discovery import ClusterTable, DiscoveryParameters, discover, mode_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.linkage import Progress
from facesets_dagster.photos.bucket_key import bucket_title


@dataclass(frozen=True)
class Clusters:
    """The faces that nobody covers, in clusters."""

    clusters: ClusterTable
    mode: str
    """`grow` or `rebuild`."""

    def sizes(self) -> list[int]:
        """Faces of each cluster, the largest first."""
        clustered = self.clusters.frame.filter(pl.col("cluster") >= 0)
        return clustered.group_by("cluster").len().sort("cluster")["len"].to_list()

    def candidates(self) -> int:
        """Clusters that may found an identity."""
        return self.clusters.frame.filter(pl.col("state") == "candidate")["cluster"].n_unique()

    def states(self) -> dict[str, int]:
        """State -> faces."""
        return dict(self.clusters.frame.group_by("state").len().sort("state").iter_rows())


def cover_distance_of(coverage: pl.DataFrame, default: float) -> float:
    """The distance that a bucket's coverage was made with; `default` where the bucket has no face."""
    return default if coverage.is_empty() else float(coverage["cover_distance"][0])


def cluster_bucket(
    bucket: str,
    coverage: pl.DataFrame,
    library: Library,
    store: FaceStore,
    parameters: DiscoveryParameters,
    cover_distance: float,
    *,
    model_id: str,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> Clusters:
    """Clusters what `coverage` leaves. With the numbers of the bucket's last run its own identities grow.

    `progress`, `scratch`: of the linkage, for large buckets. Raises `ModelMismatch` if `coverage` is of another model.
    """
    require_one_model(coverage, model_id, f"the coverage of {bucket_title(bucket)}")
    numbers = ClusterTable(pl.DataFrame(), parameters, cover_distance).identity_parameters()
    known, last = library.snapshot(), library.registry.bucket_run(bucket)
    mode = mode_of(last.identity_parameters if last else None, numbers)
    table = discover(
        bucket_faces(store, library, bucket),
        coverage,
        parameters,
        mode,
        {identity.name for identity in known.own(bucket, retired=False)},
        known.merged_members(bucket),
        progress=progress,
        scratch=scratch,
    )
    return Clusters(ClusterTable(table, parameters, cover_distance), mode)

"""New people of a bucket: the faces that nobody covers, clustered."""

import json
from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.identities.discovery import CLUSTER_COLUMNS, ClusterTable, DiscoveryParameters, discover, mode_of
from facesets_dagster.library.membership import bucket_faces, merged_members, own_names
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.reports.plots import bars
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource


class OsrcClustersConfig(dg.Config):
    """How new people are found. null = the pack's number (ArcFace packs in brackets; others see docs/thresholds.md)."""

    cluster_distance: float | None = Field(
        default=None, gt=0, le=2, description="Average cosine distance at which the linkage is cut. null = pack (0.55)."
    )
    rematch_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="A cluster whose centroid is this near to a live identity founds nothing. null = cover_distance.",
    )
    outlier_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Faces farther from their cluster's centroid are outliers. null = pack (0.55).",
    )
    outlier_min_size: int = Field(default=4, ge=1, description="Smaller clusters have no outliers.")
    min_face_short_px: float = Field(default=90, ge=0, description="Gate: shorter side of the bbox, px.")
    min_blur: float = Field(default=40, ge=0, description="Gate: variance of the Laplacian of the face crop.")
    min_det_score: float | None = Field(
        default=None, ge=0, le=1, description="Gate: the detector's confidence. null = pack (0.6)."
    )
    min_faces: int = Field(
        default=6, ge=1, description="Distinct photos (by content) that a cluster needs to found an identity."
    )

    def resolved(self, pack: PackThresholds, cover_distance: float) -> DiscoveryParameters:
        """The numbers of this run."""

        def number(given: float | None, default: float) -> float:
            return default if given is None else given

        return DiscoveryParameters(
            cluster_distance=number(self.cluster_distance, pack.cluster_distance),
            rematch_distance=number(self.rematch_distance, cover_distance),
            outlier_distance=number(self.outlier_distance, pack.outlier_distance),
            outlier_min_size=self.outlier_min_size,
            min_face_short_px=self.min_face_short_px,
            min_blur=self.min_blur,
            min_det_score=number(self.min_det_score, pack.min_det_score),
            min_faces=self.min_faces,
        )


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    deps=[dg.AssetKey("extended_facesets")],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet", "numpy"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
)
@teaching
def osrc_clusters(
    context: AssetExecutionContext,
    config: OsrcClustersConfig,
    osrc_uncovered: pl.DataFrame,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> dg.MaterializeResult[ClusterTable]:
    """The faces that are neither covered nor own members, clustered by average linkage and gated.

    The partition is that of average linkage on cosine distance cut at `cluster_distance`. Inside each cluster faces
    below a quality gate and outliers are set aside; a cluster with photos enough may found an identity. With the
    parameters of the bucket's last run own identities grow; with others everything is clustered again and matched to
    them. A large bucket shows its progress in the log, and a run that was killed goes on where it stopped.
    """
    story, bucket, pack, library = Story(context), context.partition_key, embedder.pack(), home.library()
    require_one_model(osrc_uncovered, pack.model_id, f"the coverage of {bucket}")
    faces = bucket_faces(home.face_store(bucket, pack.model_id, pack.dim), library, bucket)
    cover_distance = _cover_distance(osrc_uncovered, embedder)
    parameters = config.resolved(embedder.thresholds(), cover_distance)
    identity_parameters = ClusterTable(pl.DataFrame(), parameters, cover_distance).identity_parameters()
    last = library.registry.bucket_run(bucket)
    mode = mode_of(last.identity_parameters if last else None, identity_parameters)
    own = set(own_names(library, bucket, retired=False))
    with progress.phases(context.log.info, bucket) as report:
        table = discover(
            faces,
            osrc_uncovered,
            parameters,
            mode,
            own,
            merged_members(library, bucket),
            progress=report,
            scratch=Path(home.cache_dir) / "linkage",
        )
    clustered = table.filter(pl.col("cluster") >= 0)
    states = dict(table.group_by("state").len().sort("state").iter_rows())
    story.tell(f"{bucket}: mode {mode}, {len(clustered)} faces in {clustered['cluster'].n_unique()} clusters, {states}")
    sizes = clustered.group_by("cluster").len().sort("cluster")["len"].to_list()
    return dg.MaterializeResult(
        value=ClusterTable(table, parameters, cover_distance),
        # The numbers are part of what the table says: another run with others is another version.
        data_version=frame_version(table.with_columns(parameters=pl.lit(json.dumps(identity_parameters)))),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, CLUSTER_COLUMNS),
            "mode": mode,
            "faces_clustered": len(clustered),
            "clusters": clustered["cluster"].n_unique(),
            "largest_clusters": sizes[:20],
            "cluster_sizes": dg.MetadataValue.md(bars(sizes)),
            "candidate_clusters": table.filter(pl.col("state") == "candidate")["cluster"].n_unique(),
            "states": states,
            "seconds": story.seconds(),
            "parameters": identity_parameters,
            "model_id": pack.model_id,
        },
    )


def _cover_distance(uncovered: pl.DataFrame, embedder: EmbedderResource) -> float:
    """The distance that the coverage was made with; the pack's where a bucket has no face to tell."""
    if uncovered.is_empty():
        return embedder.thresholds().cover_distance
    return float(uncovered["cover_distance"][0])

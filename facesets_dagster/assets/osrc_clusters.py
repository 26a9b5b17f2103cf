"""New people of a bucket: its uncovered faces in clusters."""

import json
from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.looseness import bucket_looseness, too_loose_in_words
from facesets_dagster.analysis.osrc_clusters import Clusters, cluster_bucket, cover_distance_of
from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import DiscoveryConfig, Distance, PhotoConfig, PresetConfig, Share
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.cluster_table import CLUSTER_COLUMNS, ClusterTable, DiscoveryParameters
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.plots import sizes_in_words
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource


class OsrcClustersConfig(DiscoveryConfig, PresetConfig, PhotoConfig):
    """How new people are found. null = the pack's number (ArcFace packs in brackets; others see docs/thresholds.md)."""

    rematch_distance: Distance | None = Field(
        default=None,
        description="A cluster whose centroid is this near to a live identity founds nothing. null = cover_distance.",
    )
    min_faces: int = Field(
        default=6, ge=1, description="Distinct photos (copies count once) that a cluster needs to found an identity."
    )
    look_similarity: Share | None = Field(
        default=None,
        description=(
            "Photos may be copies of one if their faces have at least this cosine similarity; landmarks and pixels "
            "decide. 0 = only copies of bytes count once. null = the pack's number (ArcFace 0)."
        ),
    )
    min_clustered_px: float | None = Field(
        default=None,
        ge=0,
        description="Faces with a shorter side below this, px, are not linked; they join last. null = pack (0).",
    )
    min_quality: Share | None = Field(
        default=None,
        description="Gate: length of the raw embedding over that of the pack's good faces. null = pack (0: no gate).",
    )
    join_two_faces: Distance | None = Field(
        default=None, description="Two single faces are one person up to this distance. null = pack (0: no joining)."
    )
    join_face_and_group: Distance | None = Field(
        default=None, description="A single face and the mean of a group. null = pack (0: no joining)."
    )
    join_two_groups: Distance | None = Field(
        default=None, description="The means of two groups. null = pack (0: no joining)."
    )
    join_quality_gain: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Taken from the distance for each unit of quality that a face lacks. null = pack (0).",
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        joins = ("join_two_faces", "join_face_and_group", "join_two_groups", "join_quality_gain")
        names = ("min_clustered_px", "min_quality", *joins, "look_similarity")
        return {**super().of_pack(pack), **{name: getattr(pack, name) for name in names}}

    def resolved(self, pack: PackThresholds, cover_distance: float) -> DiscoveryParameters:
        """The numbers of this run."""
        return self.resolve(DiscoveryParameters, pack, rematch_distance=cover_distance)


@library_asset(kinds={"parquet", "numpy"}, partitioned=True, table="ClusterTable", record=ClusterTable)
def osrc_clusters(
    context: AssetExecutionContext,
    config: OsrcClustersConfig,
    osrc_uncovered: pl.DataFrame,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> Result:
    """The faces that are neither covered nor members yet, clustered in two stages and gated.

    First average linkage on cosine distance, cut at `cluster_distance`. Then pieces of one person join by the distance
    of their means, with a limit that goes by their sizes (packs that are calibrated). In each cluster, faces below a
    quality gate and outliers are set aside; a cluster with enough photos may found an identity. With the parameters
    of the bucket's last run its own identities grow; with others everything is clustered again and matched to them. A
    large bucket shows its progress in the log, and the run after a killed one continues where that one stopped.
    """
    page, bucket, pack = Page(context, home, embedder), context.partition_key, embedder.pack()
    store = home.face_store(bucket, pack.model_id, pack.dim)
    cover_distance = cover_distance_of(osrc_uncovered, embedder.thresholds().cover_distance)
    with progress.phases(context.log.info, bucket_title(bucket)) as report:
        found = cluster_bucket(
            bucket,
            osrc_uncovered,
            home.library(),
            store,
            pack,
            config.resolved(embedder.thresholds(), cover_distance),
            cover_distance,
            home.pictures(pack, config.max_pixels),
            progress=report,
            scratch=Path(home.cache_dir) / "linkage",
        )
    too_loose = too_loose_in_words(bucket_looseness(found.clusters, store))
    if too_loose:
        context.log.warning(f"{bucket_title(bucket)}: {too_loose}")
    return _described(page, bucket, found, too_loose)


def _described(page: Page, bucket: str, found: Clusters, too_loose: str) -> Result:
    """A person's members count as a cluster, so that the numbers of an unchanged bucket stay as they are."""
    page.show_review("osrc_clusters", "who is who, to decide about")
    sizes, states, numbers = found.groups(), found.states(), found.clusters.identity_parameters()
    clustered = found.sizes()
    page.say(
        f"{bucket_title(bucket)}: mode {found.mode}, {sum(clustered)} faces in {len(clustered)} clusters, {states}"
    )
    page.this_run(faces_clustered=sum(clustered), raw_clusters=len(clustered), new_candidates=found.candidates())
    return page.table(
        found.clusters.frame,
        CLUSTER_COLUMNS,
        {
            "distances_too_loose": too_loose,
            "candidate_clusters": found.people() + found.candidates(),
            "clusters": len(sizes),
            "faces_clustered": sum(sizes),
            "cluster_sizes": sizes_in_words(sizes, "cluster"),
            "states": states,
        },
        {"largest_clusters": sizes[:20], "mode": found.mode, "parameters": numbers},
        # The numbers are part of what the table says: another run with others is another version.
        version=frame_version(found.clusters.frame.with_columns(parameters=pl.lit(json.dumps(numbers)))),
        value=found.clusters,
    )

"""The faces of a bucket that belong to no known identity."""

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.existing_centroids import identities_of
from facesets_dagster.analysis.osrc_uncovered import cover_bucket
from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import Distance, given_or
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.identities.coverage_table import COVERAGE_COLUMNS, coverage_table
from facesets_dagster.library.model import require_model
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.markdown import markdown_table
from facesets_dagster.reports.plots import histogram
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class OsrcUncoveredConfig(dg.Config):
    """The distance at which an identity covers a face."""

    cover_distance: Distance | None = Field(
        default=None,
        description=(
            "Largest cosine distance to an identity's centroid at which a face belongs to it. null = the "
            "pack's number (ArcFace packs 0.45; others see docs/thresholds.md)."
        ),
    )


@library_asset(kinds={"parquet"}, deps=[face_cache], partitioned=True, table="CoverageTable")
def osrc_uncovered(
    context: AssetExecutionContext,
    config: OsrcUncoveredConfig,
    existing_centroids: pl.DataFrame,
    home: HomeResource,
    embedder: EmbedderResource,
) -> Result:
    """Nearest identity and cosine distance of every face of a bucket, and which faces are covered.

    A face within `cover_distance` of an identity that another bucket founded is covered and set aside. The bucket's own
    identities never cover its faces; they grow. A face within reach of two people is listed as ambiguous and belongs to
    the nearer one only. The table is a snapshot: publishing compares again with the library of its own time. (osrc =
    original sources: the photos of a source bucket.)
    """
    page, bucket, pack = Page(context, home, embedder), context.partition_key, embedder.pack()
    distance = given_or(config.cover_distance, embedder.thresholds().cover_distance)
    identities = identities_of(existing_centroids)
    require_model(identities, pack)
    store = home.face_store(bucket, pack.model_id, pack.dim)
    ids, coverage = cover_bucket(home.library(), store, bucket, identities, model_id=pack.model_id, dim=pack.dim)
    generation = int(existing_centroids["generation"].max() or 0)  # type: ignore[arg-type]
    table = coverage_table(ids, coverage, cover_distance=distance, generation=generation, model_id=pack.model_id)
    return _described(page, bucket, table, distance)


def _described(page: Page, bucket: str, table: pl.DataFrame, distance: float) -> Result:
    covered, members = int(table["covered"].sum()), int(table["member_of"].is_not_null().sum())
    ambiguous = table.filter(pl.col("ambiguous_with").is_not_null())["face_id"].to_list()
    page.say(
        f"{bucket_title(bucket)}: {counted(len(table), 'face')}, {covered} covered at {distance}, "
        f"{counted(members, 'member')} already, {len(ambiguous)} ambiguous"
    )
    return page.table(
        table,
        COVERAGE_COLUMNS,
        {
            "faces": len(table),
            "covered": covered,
            "members": members,
            "uncovered": len(table.filter(~pl.col("covered") & pl.col("member_of").is_null())),
            "covered_by": _by_identity(table),
        },
        {
            "nearest_distance": histogram(table["nearest_distance"].drop_nulls(), "cos-dist", threshold=distance),
            "cover_distance": distance,
            "ambiguous": len(ambiguous),
            "ambiguous_faces": ambiguous[:200],
        },
        version=frame_version(table.drop("generation")),
    )


def _by_identity(table: pl.DataFrame) -> str:
    counts = table.filter("covered").group_by("covered_by").agg(pl.len(), pl.col("foreign_distance").median())
    rows = counts.sort("covered_by").rows()
    empty = "No face is covered by an identity of another bucket."
    return markdown_table(("identity", "faces", "median cos-dist"), rows, empty=empty)

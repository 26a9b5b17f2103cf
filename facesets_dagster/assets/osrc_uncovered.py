"""The faces of a bucket that belong to no known identity."""

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.osrc_uncovered import coverage_of_bucket
from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import Distance, NumbersConfig, given_or
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.coverage_table import COVERAGE_COLUMNS
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.markdown import markdown_table
from facesets_dagster.reports.plots import histogram
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class OsrcUncoveredConfig(NumbersConfig):
    """The distance at which an identity covers a face."""

    cover_distance: Distance | None = Field(
        default=None,
        description=(
            "Largest cosine distance to an identity's centroid at which a face belongs to it. null = the "
            "pack's number (ArcFace packs 0.45; others see docs/thresholds.md)."
        ),
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"cover_distance": pack.cover_distance}


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
    store = home.face_store(bucket, pack.model_id, pack.dim)
    table = coverage_of_bucket(home.library(), store, bucket, existing_centroids, pack, distance)
    own = existing_centroids.filter(pl.col("bucket") == bucket)["name"].to_list()
    return _described(page, bucket, _with_known(table, own), distance)


def _with_known(table: pl.DataFrame, own: list[str]) -> pl.DataFrame:
    """The table with `known`: the person of another bucket who has the face as a member, or covers it."""
    member = pl.when(~pl.col("member_of").is_in(own)).then("member_of")
    return table.with_columns(known=pl.coalesce(member, pl.when("covered").then("covered_by")))


def _described(page: Page, bucket: str, told: pl.DataFrame, distance: float) -> Result:
    table = told.drop("known")
    covered = int(told["known"].is_not_null().sum())
    members = int((table["member_of"].is_not_null() & told["known"].is_null()).sum())
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
            "uncovered": len(table) - covered - members,
            "covered_by": _by_identity(told),
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
    known = table.filter(pl.col("known").is_not_null())
    counts = known.group_by("known").agg(pl.len(), pl.col("member_of").count(), pl.col("foreign_distance").median())
    rows = counts.sort("known").rows()
    empty = "No face is covered by an identity of another bucket."
    return markdown_table(("identity", "faces", "members of it", "median cos-dist"), rows, empty=empty)

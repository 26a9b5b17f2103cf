"""Which faces of a bucket nobody knows yet."""

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.existing_centroids import identities_of
from facesets_dagster.analysis.osrc_uncovered import cover_bucket
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.identities.coverage_table import COVERAGE_COLUMNS, coverage_table
from facesets_dagster.library.model import require_model
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.reports.plots import histogram
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class OsrcUncoveredConfig(dg.Config):
    """When an identity covers a face."""

    cover_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description=(
            "Cosine distance to an identity's centroid up to which a face belongs to it. null = the pack's number "
            "(ArcFace packs 0.45; others see docs/thresholds.md)."
        ),
    )


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    deps=[face_cache],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
)
@teaching
def osrc_uncovered(
    context: AssetExecutionContext,
    config: OsrcUncoveredConfig,
    existing_centroids: pl.DataFrame,
    home: HomeResource,
    embedder: EmbedderResource,
) -> dg.MaterializeResult[pl.DataFrame]:
    """Nearest identity and cosine distance of every face of a bucket, and which faces are covered.

    A face within `cover_distance` of an identity that another bucket founded is covered and set aside. The bucket's own
    identities never cover it; they grow. A face within reach of two people is listed as ambiguous and goes to the
    nearest only. The table is a snapshot: publishing matches again against the library as it is then.
    """
    story, bucket, pack, library = Story(context), context.partition_key, embedder.pack(), home.library()
    distance = embedder.thresholds().cover_distance if config.cover_distance is None else config.cover_distance
    identities = identities_of(existing_centroids)
    require_model(identities, pack)
    store = home.face_store(bucket, pack.model_id, pack.dim)
    ids, coverage = cover_bucket(library, store, bucket, identities, model_id=pack.model_id, dim=pack.dim)
    generation = int(existing_centroids["generation"].max() or 0)  # type: ignore[arg-type]
    table = coverage_table(ids, coverage, cover_distance=distance, generation=generation, model_id=pack.model_id)
    story.tell(
        f"{bucket}: {counted(len(table), 'face')}, {table['covered'].sum()} covered at {distance}, "
        f"{counted(int(table['member_of'].is_not_null().sum()), 'member')} already, "
        f"{table['ambiguous_with'].is_not_null().sum()} ambiguous"
    )
    return dg.MaterializeResult(
        value=table,
        data_version=frame_version(table.drop("generation")),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, COVERAGE_COLUMNS),
            "faces": len(table),
            "covered": int(table["covered"].sum()),
            "members": int(table["member_of"].is_not_null().sum()),
            "ambiguous": int(table["ambiguous_with"].is_not_null().sum()),
            "uncovered": len(table.filter(~pl.col("covered") & pl.col("member_of").is_null())),
            "cover_distance": distance,
            "seconds": story.seconds(),
            "nearest_distance": dg.MetadataValue.md(
                histogram(table["nearest_distance"].drop_nulls(), "cos-dist", threshold=distance)
            ),
            "covered_by": dg.MetadataValue.md(_by_identity(table)),
            "ambiguous_faces": table.filter(pl.col("ambiguous_with").is_not_null())["face_id"].to_list()[:200],
            "model_id": pack.model_id,
        },
    )


def _by_identity(table: pl.DataFrame) -> str:
    counts = table.filter("covered").group_by("covered_by").agg(pl.len(), pl.col("foreign_distance").median())
    if counts.is_empty():
        return "No face is covered by an identity of another bucket."
    rows = [f"| {name} | {count} | {median:.3f} |" for name, count, median in counts.sort("covered_by").rows()]
    return "\n".join(["| identity | faces | median cos-dist |", "| --- | --- | --- |", *rows])

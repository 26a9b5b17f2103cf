"""Known people of a bucket: their faces join the face sets that exist."""

from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import UNTOUCHED, Check, Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig, given_or
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of, runs_too
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.extended_facesets import (
    EXTENSION_COLUMNS,
    ExtendInputs,
    ExtendResult,
    extend_bucket,
)
from facesets_dagster.reports.extension_page import extension_sections, extension_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource

NOBODY_MOVED = Check(
    "members_keep_their_identity",
    "Every member before the run is a member of the same identity after it.",
    blocking=True,
)


class ExtendedFacesetsConfig(PhotoConfig):
    """Which covered faces join the identity that covers them."""

    route_distance: Distance | None = Field(
        default=None,
        description=(
            "Largest cosine distance at which a covered face joins its identity; farther faces stay covered. "
            "null = the pack's cover distance (ArcFace packs 0.45)."
        ),
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"route_distance": pack.cover_distance}


@library_asset(
    kinds={"png", "sqlite"},
    partitioned=True,
    table="ExtensionTable",
    pool="library",
    checks=[UNTOUCHED, NOBODY_MOVED],
)
def extended_facesets(
    context: AssetExecutionContext,
    config: ExtendedFacesetsConfig,
    osrc_uncovered: pl.DataFrame,
    home: HomeResource,
    embedder: EmbedderResource,
) -> Result:
    """Faces of a bucket that existing identities cover, added to them: membership grows, exports are ranked again.

    A face joins the identity that covers it (the parent, where an era is nearest), of any kind, within
    `route_distance`. Members stay members. Curation and rank run again over all members of the identities concerned,
    with the numbers that they were exported with. In a job it comes before discovery and leaves a bucket alone that it
    has taken in with the same photos and numbers; materialized by itself it takes in who waits by now.
    """
    page, bucket, run = Page(context, home, embedder), context.partition_key, run_of(context, home, embedder, config)
    require_one_model(osrc_uncovered, run.pack.model_id, f"the coverage of {bucket_title(bucket)}")
    distance = given_or(config.route_distance, embedder.thresholds().cover_distance)
    inputs = ExtendInputs(bucket, osrc_uncovered, distance, only_news=runs_too(context, "swap_ready_facesets"))
    result = extend_bucket(run, inputs)
    joined = result.sentences()
    page.say(f"{bucket_title(bucket)}: {', '.join(joined) or 'nobody joined a known person'}")
    if joined:
        sections = extension_sections(result, run, inputs, Path(home.cache_dir))
        page.write("Known people with more faces", sections, "what changed per faceset", changes="; ".join(joined[:5]))
        page.observe(run.library)
    return _described(page, result, distance)


def _described(page: Page, result: ExtendResult, distance: float) -> Result:
    touched, table = sorted(result.outcome.touched_undeclared), result.table
    return page.table(
        table,
        EXTENSION_COLUMNS,
        {
            "joined": result.sentences()[:200],
            "known_people": len(table),
            "faces_of_known_people": int(table["faces"].sum()),
            "facesets": extension_table(table),
        },
        {"extended": result.outcome.changed + result.outcome.founded, "route_distance": distance},
        version=frame_version(table.select("identity", "kind", "faces", "exported")),
        checks=[
            UNTOUCHED.result(not touched, touched=touched, declared=sorted(result.outcome.declared())),
            NOBODY_MOVED.result(not result.lost, lost=result.lost[:100]),
        ],
    )

"""Known people of a bucket: their faces join the face sets that exist."""

from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import UNTOUCHED, Check, Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig, given_or
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._versions import frame_version
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
from facesets_dagster.wording import counted

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
    with the numbers that they were exported with. Comes before discovery; without it covered faces wait.
    """
    page, bucket, run = Page(context, home, embedder), context.partition_key, run_of(context, home, embedder, config)
    require_one_model(osrc_uncovered, run.pack.model_id, f"the coverage of {bucket_title(bucket)}")
    distance = given_or(config.route_distance, embedder.thresholds().cover_distance)
    before, inputs = run.library.registry.memberships(), ExtendInputs(bucket, osrc_uncovered, distance)
    result = extend_bucket(run, inputs)
    joined, people = int(result.table["joined"].sum()), len(result.table)
    page.say(f"{bucket_title(bucket)}: {counted(joined, 'face')} joined {counted(people, 'identity', 'identities')}")
    page.write(
        "Known people with more faces",
        extension_sections(result, run, inputs, Path(home.cache_dir)),
        "what changed per faceset",
        changes=f"{counted(joined, 'face')} joined {counted(people, 'faceset')}" if joined else "",
    )
    page.observe(run.library)
    lost = before.join(run.library.registry.memberships(), on=["name", "bucket", "face_id"], how="anti")
    return _described(page, result, joined, distance, lost["face_id"].to_list())


def _described(page: Page, result: ExtendResult, joined: int, distance: float, lost: list[str]) -> Result:
    touched = sorted(result.outcome.touched_undeclared)
    return page.table(
        result.table,
        EXTENSION_COLUMNS,
        {"joined": joined, "facesets": extension_table(result.table)},
        {"extended": result.outcome.changed + result.outcome.founded, "route_distance": distance},
        version=frame_version(result.table.drop("run_id")),
        checks=[UNTOUCHED.result(not touched, touched=touched), NOBODY_MOVED.result(not lost, lost=lost[:100])],
    )

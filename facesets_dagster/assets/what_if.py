"""The result of a bucket's run with other numbers."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field, ValidationInfo, field_validator

from facesets_dagster import __version__
from facesets_dagster.analysis.what_if.bucket import WhatIfInputs
from facesets_dagster.analysis.what_if.points import SWEPT, Numbers, default_sweep
from facesets_dagster.analysis.what_if.table import WHAT_IF_COLUMNS, table_of
from facesets_dagster.analysis.what_if.what_if import WhatIf, ask
from facesets_dagster.analysis.what_if.words import sentences
from facesets_dagster.assets._asset import CODE_VERSION, Check, Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig, RunConfig, Share
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.assets.osrc_clusters import OsrcClustersConfig
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.funnel import count_states
from facesets_dagster.reports.markdown import bullets
from facesets_dagster.reports.what_if_page import curves_of, points_markdown, what_if_sections, what_if_sheet
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource

MATCHES_LAST_RUN = Check(
    "matches_last_run",
    (
        "Clustering everything again with the numbers of the last run gives the recorded funnel. It does "
        "not where the bucket grew over several runs, or where identities of other buckets came later."
    ),
)


class WhatIfNumbers(RunConfig):
    """Numbers of a run; null = as in the base point (of the base point: as in the bucket's last run)."""

    cover_distance: Distance | None = Field(default=None, description="Of `osrc_uncovered`.")
    cluster_distance: Distance | None = Field(default=None, gt=0, description="Of `osrc_clusters`.")
    rematch_distance: Distance | None = Field(
        default=None, description="Of `osrc_clusters`; follows cover_distance where both were equal."
    )
    outlier_distance: Distance | None = Field(default=None, description="Of `osrc_clusters`.")
    outlier_min_size: int | None = Field(default=None, ge=1, description="Of `osrc_clusters`.")
    min_face_short_px: float | None = Field(default=None, ge=0, description="Gate of `osrc_clusters`, px.")
    min_blur: float | None = Field(default=None, ge=0, description="Gate of `osrc_clusters`.")
    min_det_score: Share | None = Field(default=None, description="Gate of `osrc_clusters`.")
    min_faces: int | None = Field(default=None, ge=1, description="Of `osrc_clusters`, distinct photos.")
    min_clustered_px: float | None = Field(default=None, ge=0, description="Of `osrc_clusters`, px.")
    min_quality: Share | None = Field(default=None, description="Gate of `osrc_clusters`.")
    join_two_faces: Distance | None = Field(default=None, description="Of `osrc_clusters`.")
    join_face_and_group: Distance | None = Field(default=None, description="Of `osrc_clusters`.")
    join_two_groups: Distance | None = Field(default=None, description="Of `osrc_clusters`.")
    join_quality_gain: float | None = Field(default=None, ge=0, le=2, description="Of `osrc_clusters`.")
    look_similarity: Share | None = Field(default=None, description="Of `osrc_clusters`.")
    export_min_face_short_px: float | None = Field(
        default=None, ge=0, description="`min_face_short_px` of `swap_ready_facesets`, px."
    )
    export_outlier_distance: Distance | None = Field(
        default=None, description="`outlier_distance` of `swap_ready_facesets`."
    )
    export_near_duplicate_similarity: float | None = Field(
        default=None, ge=-1, le=1, description="`near_duplicate_similarity` of `swap_ready_facesets`."
    )
    export_fill_to: int | None = Field(default=None, ge=0, description="`fill_to` of `swap_ready_facesets`.")
    export_fill_floor_px: float | None = Field(
        default=None, ge=0, description="`fill_floor_px` of `swap_ready_facesets`, px."
    )

    def given(self) -> dict[str, float]:
        """Name -> value of those that are not null."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


def _values(of: str) -> str:
    return f"Values of {of}, the others as in the base point. null = a grid around the pack's number, [] = none."


class WhatIfConfig(PhotoConfig):
    """The points to compute: one number at a time around a base, and explicit points."""

    base: WhatIfNumbers = Field(
        default=WhatIfNumbers(),
        description="The base point. null = the numbers of the bucket's last run, or for a new bucket the pack's.",
    )
    points: list[WhatIfNumbers] = Field(
        default=[], max_length=200, description="Explicit points: [{min_faces: 4}, {cluster_distance: 0.5}]."
    )
    sweep: bool = Field(default=True, description="false = only `points`, none of the value lists below.")
    cover_distance: list[float] | None = Field(default=None, max_length=50, description=_values("cover_distance"))
    cluster_distance: list[float] | None = Field(default=None, max_length=50, description=_values("cluster_distance"))
    min_face_short_px: list[float] | None = Field(
        default=None, max_length=50, description=_values("the gate on the shorter side of the bbox, px")
    )
    min_blur: list[float] | None = Field(default=None, max_length=50, description=_values("the gate on blur"))
    min_det_score: list[float] | None = Field(
        default=None, max_length=50, description=_values("the gate on the detector's confidence")
    )
    min_faces: list[int] | None = Field(default=None, max_length=50, description=_values("min_faces"))
    max_shown: int = Field(default=12, ge=0, le=40, description="Most new identities with a row of pictures.")

    @field_validator(*SWEPT)
    @classmethod
    def _within_bounds(cls, values: list[float] | None, info: ValidationInfo) -> list[float] | None:
        for value in values or ():
            WhatIfNumbers.model_validate({str(info.field_name): value})
        return values

    def sweeps(self, pack: PackThresholds) -> dict[str, list[float]]:
        """Parameter -> values."""
        given = {name: getattr(self, name) for name in SWEPT if self.sweep}
        return {name: default_sweep(name, pack) if values is None else values for name, values in given.items()}


@library_asset(kinds={"parquet"}, deps=[face_cache], partitioned=True, table="WhatIfTable", checks=[MATCHES_LAST_RUN])
def what_if(
    context: AssetExecutionContext, config: WhatIfConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """What would a run of the bucket give with other distances, gates or `min_faces`? Computed on the cached faces.

    Each point goes through coverage, clustering, matching with the live library and curation as a run would, without a
    model and without changing anything: identities founded, grown and vanished, exported faces, impossible pairs,
    changes against the library. One number at a time around the numbers of the last run, and any explicit points.
    """
    page, bucket = Page(context, home, embedder), context.partition_key
    pack, thresholds = embedder.pack(), embedder.thresholds()
    inputs = WhatIfInputs(
        bucket=bucket,
        default=default_numbers(thresholds),
        base=config.base.given(),
        sweeps=config.sweeps(thresholds),
        points=[point.given() for point in config.points],
        pack=pack,
        pictures=home.pictures(pack, config.max_pixels),
        code_version=f"{__version__}/{CODE_VERSION}",
    )
    holder = f"run {context.run.run_id}"
    found = ask(inputs, home.library(), home.store_of(pack), holder=holder, say=context.log.info)
    table, answers = table_of(found), sentences(found)
    page.say(f"{bucket_title(bucket)}: {len(table)} points, {len(answers)} answers")
    load_photo = photo_loader(home.folders(), found.faces, config.max_pixels)
    sheet = what_if_sheet(found, config.max_shown, load_photo, Path(home.cache_dir))
    sections = what_if_sections(table, answers, sheet)
    page.write("What if", sections, "the answers, with curves and pictures", sheet=sheet)
    return _described(page, found, table, answers)


def _described(page: Page, found: WhatIf, table: pl.DataFrame, answers: Sequence[str]) -> Result:
    base = table.row(0, named=True)
    return page.table(
        table,
        WHAT_IF_COLUMNS,
        {"answers": bullets(answers) or "no point was given", "points": points_markdown(table)},
        {
            **{f"curve_{name}": text for name, text in curves_of(table).items()},
            **{name: base[name] for name in ("faces", "identities", "exported")},
            "base_mode": base["mode"],
            "base": {name: base[name] for name in WhatIfNumbers.model_fields},
            "generation": found.generation,
        },
        checks=[_check(page, found)],
    )


def default_numbers(thresholds: PackThresholds) -> Numbers:
    """What a run without run config uses."""
    cover_distance = thresholds.cover_distance
    discovery = OsrcClustersConfig().resolved(thresholds, cover_distance)
    return Numbers(cover_distance, discovery, SwapReadyFacesetsConfig().resolved(thresholds))


def _check(page: Page, found: WhatIf) -> dg.AssetCheckResult:
    if found.rebuilt is None:
        why = (
            "no point has the numbers of the last run, or photos are new"
            if len(found.recorded)
            else "the bucket never ran"
        )
        return page.verdict(MATCHES_LAST_RUN, True, "", not_compared=why)
    on_record, anew = count_states(found.recorded), count_states(found.rebuilt.result.funnel)
    differ = {
        state: f"{on_record.get(state, 0)} recorded, {anew.get(state, 0)} clustered again"
        for state in sorted(on_record.keys() | anew.keys())
        if on_record.get(state, 0) != anew.get(state, 0)
    }
    return page.verdict(
        MATCHES_LAST_RUN,
        not differ,
        f"{len(differ)} states have other counts",
        differ=differ,
        what_to_do="Nothing, if the bucket grew over several runs or the library moved on: the points then "
        "show what a run would do now. The sentences say how much of it comes from clustering again.",
    )

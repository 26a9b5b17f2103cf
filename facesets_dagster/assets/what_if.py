"""What a bucket's run would come to with other numbers."""

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
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.assets.osrc_clusters import OsrcClustersConfig
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig, swap_ready_facesets
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.publishing.funnel import count_states
from facesets_dagster.reports.contact_sheet import SheetRow, sheet_markdown
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.reports.thumbnails import of_faces
from facesets_dagster.reports.what_if_page import (
    curves_of,
    newcomers,
    points_markdown,
    sheet_of,
    what_if_sections,
)
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class WhatIfNumbers(dg.Config):
    """Numbers of a run; null = as in the base point (of the base point: as in the bucket's last run)."""

    cover_distance: float | None = Field(default=None, ge=0, le=2, description="Of `osrc_uncovered`.")
    cluster_distance: float | None = Field(default=None, gt=0, le=2, description="Of `osrc_clusters`.")
    rematch_distance: float | None = Field(
        default=None, ge=0, le=2, description="Of `osrc_clusters`; goes with cover_distance where they were equal."
    )
    outlier_distance: float | None = Field(default=None, ge=0, le=2, description="Of `osrc_clusters`.")
    outlier_min_size: int | None = Field(default=None, ge=1, description="Of `osrc_clusters`.")
    min_face_short_px: float | None = Field(default=None, ge=0, description="Gate of `osrc_clusters`, px.")
    min_blur: float | None = Field(default=None, ge=0, description="Gate of `osrc_clusters`.")
    min_det_score: float | None = Field(default=None, ge=0, le=1, description="Gate of `osrc_clusters`.")
    min_faces: int | None = Field(default=None, ge=1, description="Of `osrc_clusters`, distinct photos.")
    export_min_face_short_px: float | None = Field(
        default=None, ge=0, description="`min_face_short_px` of `swap_ready_facesets`, px."
    )
    export_outlier_distance: float | None = Field(
        default=None, ge=0, le=2, description="`outlier_distance` of `swap_ready_facesets`."
    )
    export_near_duplicate_similarity: float | None = Field(
        default=None, ge=-1, le=1, description="`near_duplicate_similarity` of `swap_ready_facesets`."
    )

    def given(self) -> dict[str, float]:
        """Name -> value of those that are not null."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


def _values(of: str) -> str:
    return f"Values of {of}, the others as in the base point. null = a grid around the pack's number, [] = none."


class WhatIfConfig(dg.Config):
    """Which points are asked for: one parameter at a time around a base, and others one by one."""

    base: WhatIfNumbers = Field(
        default=WhatIfNumbers(),
        description="The base point. null = the numbers of the bucket's last run, of a new bucket the pack's.",
    )
    points: list[WhatIfNumbers] = Field(
        default=[], max_length=200, description="Points of their own: [{min_faces: 4}, {cluster_distance: 0.5}]."
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
    max_shown: int = Field(
        default=12, ge=0, le=40, description="Most identities that would be new and get a row of pictures."
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) get no picture.")

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


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    deps=[face_cache, swap_ready_facesets],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    # Said here, because an annotation with a value type does not go with check_specs (Dagster 1.13).
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="WhatIfTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "matches_last_run",
            asset="what_if",
            description=(
                "Clustering everything anew with the numbers of the last run gives the funnel on record. It does not "
                "where the bucket grew over several runs, or others' identities came after it."
            ),
        )
    ],
)
@teaching
def what_if(
    context: AssetExecutionContext, config: WhatIfConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What would a bucket's run come to with other distances, gates or `min_faces`? Asked of the cached faces.

    Each point goes through coverage, clustering, matching with the live library and curation as a run would, without
    a model and without changing anything: identities founded, grown and vanished, exported faces, impossible pairs,
    who would change against the library. One parameter at a time around the numbers of the last run, and any points.
    """
    story, bucket, pack, thresholds = Story(context), context.partition_key, embedder.pack(), embedder.thresholds()
    inputs = WhatIfInputs(
        bucket=bucket,
        default=default_numbers(thresholds),
        base=config.base.given(),
        sweeps=config.sweeps(thresholds),
        points=[point.given() for point in config.points],
        pack=pack,
        code_version=f"{__version__}/{CODE_VERSION}",
    )
    holder = f"run {context.run.run_id}"
    found = ask(inputs, home.library(), home.store_of(pack), holder=holder, say=context.log.info)
    table, answers = table_of(found), sentences(found)
    story.tell(f"{bucket}: {len(table)} points, {len(answers)} answers")
    seconds = story.seconds()
    sheet = _sheet(found, config, home, bucket)
    page = write_system_page(
        home.reports(), bucket, context.run.run_id, "what_if", "What if", what_if_sections(table, answers, sheet),
        changes="",
    )  # fmt: skip
    base = table.row(0, named=True)
    small = {f"curve_{name}": dg.MetadataValue.md(text) for name, text in curves_of(table).items()}
    return dg.MaterializeResult(
        value=table,
        data_version=frame_version(table),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, WHAT_IF_COLUMNS),
            "report": link("the answers, with curves and pictures", "reports", bucket, page.name),
            "answers": dg.MetadataValue.md("\n".join(f"- {text}" for text in answers) or "nothing was asked"),
            **small,
            "points": dg.MetadataValue.md(points_markdown(table)),
            "base_mode": base["mode"],
            "faces": base["faces"],
            "identities": base["identities"],
            "exported": base["exported"],
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if sheet and home.pictures_in_ui else {}),
            "base": {name: base[name] for name in WhatIfNumbers.model_fields},
            "generation": found.generation,
            "seconds_without_pictures": seconds,
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[_check(found)],
    )


def default_numbers(thresholds: PackThresholds) -> Numbers:
    """What a run without run config uses."""
    cover_distance = thresholds.cover_distance
    discovery = OsrcClustersConfig().resolved(thresholds, cover_distance)
    return Numbers(cover_distance, discovery, SwapReadyFacesetsConfig().resolved(thresholds))


def _sheet(found: WhatIf, config: WhatIfConfig, home: HomeResource, bucket: str) -> list[SheetRow]:
    """Pictures are cut out of the photos; where those are not there now, there are none."""
    new = newcomers(found, config.max_shown)
    if not new:
        return []
    load_photo = photo_loader(home.folders(), found.faces, config.max_pixels)
    wanted = found.faces.filter(pl.col("face_id").is_in([face for one in new for face in one.faces]))
    return sheet_of(new, found.faces, of_faces(wanted, load_photo, Path(home.cache_dir)))


def _check(found: WhatIf) -> dg.AssetCheckResult:
    if found.rebuilt is None:
        why = (
            "a point with the numbers of the last run was not asked for, or photos are new"
            if len(found.recorded)
            else "the bucket never ran"
        )
        return dg.AssetCheckResult(check_name="matches_last_run", passed=True, metadata={"not_compared": why})
    on_record, anew = count_states(found.recorded), count_states(found.rebuilt.result.funnel)
    differ = {
        state: f"{on_record.get(state, 0)} on record, {anew.get(state, 0)} anew"
        for state in sorted(on_record.keys() | anew.keys())
        if on_record.get(state, 0) != anew.get(state, 0)
    }
    return dg.AssetCheckResult(
        check_name="matches_last_run",
        passed=not differ,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "differ": differ,
            "what_to_do": "Nothing, if the bucket grew over several runs or the library moved on: the points then "
            "show what a run would do now. The sentences say how much of it is the clustering anew.",
        },
    )

"""Periods of a person's life: identities split into eras by what their photos look like and when they were taken."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._era_checks import CHECK_SPECS, check_results, members_of_eras
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig, swap_ready_facesets
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.eras import EraNumbers
from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import place_of
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.era_facesets import EraResult, publish_eras
from facesets_dagster.publishing.eras.planner import EraInputs
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.era_report import ERA_COLUMNS, dated_by, era_rows, pictures, sections, years_picture
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class EraFacesetsConfig(dg.Config):
    """What is split, and by which numbers; they hold for the eras of the identities in `split`."""

    split: list[str] = Field(
        default_factory=list,
        description=(
            'Facesets that are split into eras now, e.g. ["faceset_001"]; ["*"] = every identity that is no era. The '
            "others only get later photos slotted into the eras that they have, with the numbers those were made with."
        ),
    )
    era_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Average cosine distance at which an identity falls into sub-clusters. null = pack (0.35).",
    )
    join_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="A face joins the nearest anchor within this cosine distance and join_years. null = pack (0.40).",
    )
    join_years: float = Field(default=5, ge=0, le=200, description="Years between a face and its anchor's year.")
    min_seed_faces: int = Field(default=1, ge=1, description="Dated faces that a sub-cluster needs to seed an era.")
    min_era_faces: int = Field(
        default=15, ge=1, description="Exported faces from which an era is substantive; below it lives under _thin/."
    )
    min_dated_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of photos with a date below which dates_known warns."
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")

    def resolved(self, pack: PackThresholds) -> EraNumbers:
        """The numbers of this run."""
        return EraNumbers(
            era_distance=pack.era_distance if self.era_distance is None else self.era_distance,
            join_distance=pack.era_join_distance if self.join_distance is None else self.join_distance,
            join_years=self.join_years,
            min_seed_faces=self.min_seed_faces,
            min_era_faces=self.min_era_faces,
        )


@dg.asset(
    deps=[swap_ready_facesets],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=CHECK_SPECS,
)
@teaching
def era_facesets(
    context: AssetExecutionContext, config: EraFacesetsConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Eras of identities: face sets of one person in one period, such as `faceset_001_era_2010-2013`.

    Photos are dated by EXIF, file name or folder name, else stay undated. The identities named in `split` fall into
    sub-clusters, each cut into periods and frozen as an anchor; a face joins the nearest anchor within a distance and
    a number of years. Later photos slot in; anchors never move. Eras with few faces live under `_thin/`. The identity
    itself stays as it is.
    """
    story, thresholds = Story(context), embedder.thresholds()
    export = SwapReadyFacesetsConfig().resolved(thresholds)
    run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels)
    library, today = run.library, datetime.now(UTC).date()
    inputs = EraInputs(tuple(config.split), config.resolved(thresholds), Path(home.cache_dir), today)
    result = publish_eras(run, inputs)
    rows = era_rows(result)
    story.tell(f"{len(rows)} eras of {len(result.families)} identities; {_in_a_word(result) or 'nothing changed'}")
    parameters = {"split": list(config.split), **asdict(inputs.numbers)}
    return dg.MaterializeResult(
        data_version=text_version(repr(sorted(members_of_eras(library).items()))),
        metadata={
            "dagster/row_count": len(rows),
            "table": dg.MetadataValue.md(_markdown(rows)),
            **_numbers(result),
            **_report(result, library, home, context.run.run_id, parameters),
            "parameters": parameters,
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=check_results(result, library, config.min_dated_share),
    )


def _in_a_word(result: EraResult) -> str:
    outcome, moved = result.update.outcome, result.moved()
    counts = {"founded": outcome.founded, "changed": outcome.changed, "back": outcome.revived}
    counts |= {"no longer thin": moved, "out of use": outcome.retired}
    return ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names)


def _numbers(result: EraResult) -> dict[str, Any]:
    """Numbers that the UI plots over time, the histogram, and what changed."""
    eras = [era for family in result.families for era in family.eras]
    thin = sum(era.kind == "thin_era" for era in eras)
    sources, outcome = dated_by(result), result.update.outcome
    photos = sum(sources.values())
    return {
        "years": dg.MetadataValue.md(years_picture(result)),
        "identities": len(result.families),
        "eras": len(eras) - thin,
        "thin_eras": thin,
        "faces": result.faces(),
        "faces_in_eras": sum(len(era.members) for era in eras),
        "joined_now": sum(result.joined().values()),
        "faces_in_no_era": result.left(),
        "photos_dated_by": sources,
        "undated_share": round(sources["undated"] / max(photos, 1), 4),
        "founded": outcome.founded,
        "changed": outcome.changed,
        "no_longer_thin": result.moved(),
        "retired": outcome.retired,
        "revived": outcome.revived,
    }


def _report(
    result: EraResult, library: Library, home: HomeResource, run_id: str, parameters: dict[str, object]
) -> dict[str, Any]:
    """The page and a contact sheet; nothing where no identity has eras and none was split."""
    if not result.families and not result.orphans:
        return {"note": "No identity has eras. Name the ones to split in the run config, e.g. split: [faceset_001]."}
    page = write_system_page(
        home.reports(),
        LIBRARY,
        run_id,
        "era_facesets",
        "Eras",
        sections(result, library, parameters),
        changes=_in_a_word(result),
    )
    sheet = dg.MetadataValue.md(sheet_markdown(pictures(result, library))) if home.pictures_in_ui else None
    report = {"report": link("the report of this run", "reports", LIBRARY, page.name)}
    return {**report, **({"contact_sheet": sheet} if sheet else {})}


def _markdown(rows: list[list[object]]) -> str:
    if not rows:
        return "There are no eras."
    lines = []
    for identity, person, era, kind, *numbers in rows[:500]:
        place = place_of(str(era), "thin_era" if kind == "thin" else "era").split("/")
        cells = [
            markdown_link(str(identity), "library", str(identity)),
            str(person or "").replace("|", "/"),
            markdown_link(str(era), "library", *place),
            *(str(cell) for cell in (kind, *numbers)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    head = [f"| {' | '.join(ERA_COLUMNS)} |", f"|{' --- |' * 5}{' ---: |' * 3}"]
    return "\n".join([*head, *lines])

"""Periods of a person's life: identities split into eras by look and date."""

from dataclasses import asdict
from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig, Share
from facesets_dagster.assets._era_checks import CHECKS, check_results, members_of_eras
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._versions import text_version
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.eras import EraNumbers
from facesets_dagster.photos.dates import today_at_least
from facesets_dagster.publishing.era_facesets import EraResult, publish_eras
from facesets_dagster.publishing.eras.planner import EraInputs
from facesets_dagster.reports.era_report import dated_by, era_rows, era_table, pictures, sections, years_picture
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class EraFacesetsConfig(PhotoConfig):
    """The identities to split, and the numbers for their eras."""

    split: list[str] = Field(
        default=[],
        description=(
            'Facesets to split into eras now, e.g. ["faceset_001"]; ["*"] = every identity that is not an '
            "era. Other identities only get later photos into the eras that they have, with the numbers of "
            "those eras."
        ),
    )
    era_distance: Distance | None = Field(
        default=None,
        description="Average cosine distance at which an identity is divided into sub-clusters. null = pack (0.35).",
    )
    join_distance: Distance | None = Field(
        default=None,
        description=(
            "Largest cosine distance at which a face joins the nearest anchor (within join_years). null = pack (0.40)."
        ),
    )
    join_years: float = Field(default=5, ge=0, le=200, description="Most years between a face and its anchor.")
    min_seed_faces: int = Field(default=1, ge=1, description="Dated faces that a sub-cluster needs to seed an era.")
    min_era_faces: int = Field(
        default=15,
        ge=1,
        description="Exported faces that make an era substantive; an era with fewer lies under _thin/.",
    )
    min_dated_share: Share = Field(default=0.5, description="Share of dated photos below which photos_dated warns.")

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"era_distance": pack.era_distance, "join_distance": pack.era_join_distance}

    def resolved(self, pack: PackThresholds) -> EraNumbers:
        """The numbers of this run."""
        return self.resolve(EraNumbers, pack)


@library_asset(kinds={"png", "sqlite"}, pool="library", checks=CHECKS)
def era_facesets(
    context: AssetExecutionContext, config: EraFacesetsConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Eras of identities: face sets of one person in one period, such as `faceset_001_era_2010-2013`.

    Photos are dated by EXIF, file name or folder name; others stay undated. The identities named in `split` are divided
    into sub-clusters, each cut into periods and frozen as an anchor. A face joins the nearest anchor within a distance
    and a number of years. Later photos join the anchors, which never move. Eras with few faces lie under `_thin/`. The
    identity itself stays as it is.
    """
    page, numbers = Page(context, home, embedder), config.resolved(embedder.thresholds())
    run = run_of(context, home, embedder, config)
    result = publish_eras(run, EraInputs(tuple(config.split), numbers, Path(home.cache_dir), today_at_least()))
    parameters = {"split": list(config.split), **asdict(numbers)}
    if result.families or result.orphans:
        sheet = pictures(result, run.library)
        page.write(
            "Eras",
            sections(result, run.library, parameters),
            "the report of this run",
            sheet=sheet,
            changes=_in_a_word(result),
        )
    page.observe(run.library)
    version = text_version(repr(sorted(members_of_eras(run.library).items())))
    checks = check_results(result, run.library, config.min_dated_share)
    return _described(page, result, parameters, version, checks)


def _described(
    page: Page,
    result: EraResult,
    parameters: dict[str, object],
    version: dg.DataVersion,
    checks: list[dg.AssetCheckResult],
) -> Result:
    rows, eras = era_rows(result), [era for family in result.families for era in family.eras]
    page.say(f"{len(rows)} eras of {len(result.families)} identities; {_in_a_word(result) or 'nothing changed'}")
    thin, outcome, sources = sum(era.kind == "thin_era" for era in eras), result.update.outcome, dated_by(result)
    note = "No identity has eras. Name the ones to split in the run config, e.g. split: [faceset_001]."
    return page.result(
        {
            "table": era_table(rows),
            "note": "" if result.families or result.orphans else note,
            "identities": len(result.families),
            "eras": len(eras) - thin,
            "thin_eras": thin,
        },
        {
            "years": years_picture(result),
            "faces": result.faces(),
            "faces_in_eras": sum(len(era.members) for era in eras),
            "joined_now": sum(result.joined().values()),
            "faces_in_no_era": result.left(),
            "photos_dated_by": sources,
            "undated_share": round(sources["undated"] / max(sum(sources.values()), 1), 4),
            "founded": outcome.founded,
            "changed": outcome.changed,
            "no_longer_thin": result.moved(),
            "retired": outcome.retired,
            "revived": outcome.revived,
            "parameters": parameters,
        },
        rows=len(rows),
        version=version,
        checks=checks,
    )


def _in_a_word(result: EraResult) -> str:
    outcome, moved = result.update.outcome, result.moved()
    counts = {"founded": outcome.founded, "changed": outcome.changed, "back": outcome.revived}
    counts |= {"no longer thin": moved, "out of use": outcome.retired}
    return ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names)

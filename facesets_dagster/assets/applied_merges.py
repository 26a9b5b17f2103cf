"""Merges that somebody asked for, made true; the asset behind the job `apply_merges`."""

from typing import Any

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.merge_proposals import merge_proposals
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.applied_merges import ApplyResult, MergeRequest, apply_merges
from facesets_dagster.registry.merges import redirects, rejected_pairs
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.merge_page import told_sections
from facesets_dagster.reports.system_page import Section, row_of_faceset, write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class AppliedMergesConfig(dg.Config):
    """What is merged, by name. Without a name nothing happens."""

    merges: list[list[str]] = Field(
        default_factory=list,
        description=(
            "Groups of facesets that are one person, e.g. [[faceset_020, faceset_031]]. The most trusted name stays: "
            "hand_sorted, auto, discovered; then the lower number."
        ),
    )
    despite_veto: bool = Field(
        default=False, description="Merge although a photo shows both: a collage, a mirror, a face on a screen."
    )
    despite_labels: bool = Field(
        default=False, description="Merge although their labels differ; the label of the name that stays is kept."
    )
    reject: list[list[str]] = Field(
        default_factory=list,
        description="Pairs that are two people, as are those whom they lead to; never proposed again.",
    )
    accept_again: list[list[str]] = Field(
        default_factory=list,
        description="Pairs that were rejected and may be proposed again, by those names or by whom they lead to.",
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")


@dg.asset(
    deps=[merge_proposals],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[untouched_spec("applied_merges")],
)
@teaching
def applied_merges(
    context: AssetExecutionContext, config: AppliedMergesConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The groups named in the run config, each made one identity; the other numbers become redirects.

    The name that stays gets everybody's members and is ranked and exported anew; the others leave a tombstone that
    says who has their people, and their eras go out of use with them. Folders are archived as they were, so that
    `undo_merges` restores them byte for byte. Later runs never bring a merged name back by themselves.
    """
    story, library = Story(context), home.library()
    request = MergeRequest(
        groups=config.merges,
        reject=config.reject,
        accept_again=config.accept_again,
        despite_veto=config.despite_veto,
        despite_labels=config.despite_labels,
    )
    result: ApplyResult | None = None
    if config.merges or config.reject or config.accept_again:
        export = SwapReadyFacesetsConfig().resolved(embedder.thresholds())
        run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels)
        result = apply_merges(run, request)
    story.tell(f"{len(result.merged) if result else 0} facesets merged")
    return dg.MaterializeResult(
        data_version=text_version(repr((sorted(redirects(library.registry).items()), rejected_pairs_of(home)))),
        metadata={
            "dagster/row_count": len(result.merged) if result else 0,
            **_told(result, home, context.run.run_id),
            "in_force": len(redirects(library.registry)),
            "parameters": config.model_dump(),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[untouched_result(result.update.outcome.touched_undeclared if result else [])],
    )


def rejected_pairs_of(home: HomeResource) -> list[tuple[str, str]]:
    """Pairs that are two people, in order."""
    return sorted(rejected_pairs(home.library().registry))


def _told(result: ApplyResult | None, home: HomeResource, run_id: str) -> dict[str, Any]:
    if result is None:
        return {"note": "Nothing was named. Name groups in `merges`, e.g. [[faceset_020, faceset_031]]."}
    library = home.library()
    keepers = sorted({merge.keeper for merge in result.merged})
    labels = {identity.name: identity.label or "" for identity in library.registry.identities()}
    sheet = [row_of_faceset(library.folder / name, f"{name} {labels[name]}".strip()) for name in keepers]
    page = write_system_page(
        home.reports(),
        LIBRARY,
        run_id,
        "applied_merges",
        "Facesets merged",
        told_sections(
            Section(
                "Merged",
                "The second name leads to the first from now on; undo_merges takes it back.",
                ("stays", "merged into it"),
                [(merge.keeper, merge.merged) for merge in result.merged],
                sheet,
            ),
            [
                Section("Merged before", "By an earlier run.", ("name", "leads to"), result.already),
                Section("Rejected", "Two people; never proposed again.", ("one", "the other"), result.rejected),
                Section("Not rejected any more", "May be proposed again.", ("one", "the other"), result.accepted_again),
            ],
        ),
        changes=", ".join(f"{merge.merged} into {merge.keeper}" for merge in result.merged[:5]),
    )
    lines = [f"| {markdown_link(m.keeper, 'library', m.keeper)} | {m.merged} |" for m in result.merged[:500]]
    return {
        "merged": dg.MetadataValue.md("\n".join(["| stays | merged into it |", "| --- | --- |", *lines])),
        "merged_before": [f"{name} into {keeper}" for name, keeper in result.already[:500]],
        "rejected": [f"{first}, {second}" for first, second in result.rejected],
        "accepted_again": [f"{first}, {second}" for first, second in result.accepted_again],
        "eras_out_of_use": [one.name for one in result.update.plan.retire if one.is_era][:500],
        "report": link("the report of this run", "reports", LIBRARY, page.name),
        **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if home.pictures_in_ui and sheet else {}),
    }

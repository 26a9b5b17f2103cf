"""Merges of the facesets that the run config names; the asset behind the job `apply_merges`."""

from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import UNTOUCHED, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._versions import text_version
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.applied_merges import ApplyResult, MergeRequest, apply_merges
from facesets_dagster.registry.merges import redirects, rejected_pairs
from facesets_dagster.reports.merge_page import applied_sections, applied_sheet, applied_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class AppliedMergesConfig(PhotoConfig):
    """The facesets to merge, by name. Without a name nothing happens."""

    merges: list[list[str]] = Field(
        default=[],
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
        default=[],
        description="Pairs of facesets that are two people; never proposed again. Merged names are followed.",
    )
    accept_again: list[list[str]] = Field(
        default=[],
        description="Rejected pairs that may be proposed again. Merged names are followed.",
    )

    def request(self) -> MergeRequest:
        """As the domain takes it."""
        return MergeRequest(
            groups=self.merges,
            reject=self.reject,
            accept_again=self.accept_again,
            despite_veto=self.despite_veto,
            despite_labels=self.despite_labels,
        )


@library_asset(kinds={"png", "sqlite"}, pool="library", checks=[UNTOUCHED])
def applied_merges(
    context: AssetExecutionContext, config: AppliedMergesConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """The groups named in the run config, each made one identity; the other numbers become redirects.

    The keeper is the most trusted name. It gets all members and is ranked and exported again; the other names become
    tombstones that lead to it, and their eras go out of use. Their folders are archived unchanged, so that
    `undo_merges` restores them byte for byte. No later run brings a merged name back by itself.
    """
    page, library, result = Page(context, home, embedder), home.library(), None
    if config.merges or config.reject or config.accept_again:
        result = apply_merges(run_of(context, home, embedder, config), config.request())
        sheet = applied_sheet(result, library)
        changes = ", ".join(f"{merge.merged} into {merge.keeper}" for merge in result.merged[:5])
        page.write(
            "Facesets merged", applied_sections(result, sheet), "the report of this run", sheet=sheet, changes=changes
        )
        page.observe(library)
    page.say(f"{len(result.merged) if result else 0} facesets merged")
    return _described(page, library, result, config.model_dump())


def _described(page: Page, library: Library, result: ApplyResult | None, parameters: dict[str, object]) -> Result:
    leads, apart = sorted(redirects(library.registry).items()), sorted(rejected_pairs(library.registry))
    then = {"in_force": len(leads), "parameters": parameters}
    version = text_version(repr((leads, apart)))
    if result is None:
        note = "Nothing was named. Name groups in `merges`, e.g. [[faceset_020, faceset_031]]."
        return page.result({"note": note}, then, rows=0, version=version, checks=[UNTOUCHED.result(True)])
    touched = sorted(result.update.outcome.touched_undeclared)
    return page.result(
        {
            "merged": applied_table(result),
            "merged_before": [f"{name} into {keeper}" for name, keeper in result.already[:500]],
            "rejected": [f"{first}, {second}" for first, second in result.rejected],
            "accepted_again": [f"{first}, {second}" for first, second in result.accepted_again],
            "eras_out_of_use": [one.name for one in result.update.plan.retire if one.is_era][:500],
        },
        then,
        rows=len(result.merged),
        version=version,
        checks=[UNTOUCHED.result(not touched, touched=touched)],
    )

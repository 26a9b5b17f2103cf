"""The rulings in force, made true in the library; the asset behind `facesets rule` and the jobs for merges."""

from collections.abc import Sequence

from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import UNTOUCHED, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.rulings import observe_obeyed, rulings
from facesets_dagster.embedding.home_numbers import write_ruled_numbers
from facesets_dagster.identities.rulings import Ruling, ruled_numbers
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.applied_rulings import ApplyResult, apply_rulings
from facesets_dagster.publishing.rulings.merging import MergeRequest
from facesets_dagster.publishing.rulings.writing import Author
from facesets_dagster.registry.merges import redirects
from facesets_dagster.reports.rulings_page import applied_sections, applied_sheet, applied_tables
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class AppliedRulingsConfig(PhotoConfig):
    """Merges by name that become rulings first. Without one, the rulings that are there are applied."""

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
    undo: list[str] = Field(
        default=[],
        description='Names that were merged into another, e.g. [faceset_031]; ["*"] = all of them. In any order.',
    )

    def request(self) -> MergeRequest | None:
        """As the domain takes it; None if nothing is named."""
        if not (self.merges or self.reject or self.accept_again):
            return None
        return MergeRequest(
            groups=self.merges,
            reject=self.reject,
            accept_again=self.accept_again,
            despite_veto=self.despite_veto,
            despite_labels=self.despite_labels,
        )


@library_asset(kinds={"png", "sqlite"}, pool="library", deps=[rulings], checks=[UNTOUCHED])
def applied_rulings(
    context: AssetExecutionContext, config: AppliedRulingsConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """The rulings in force, made true: people merged and split, faces moved, strangers ignored, names given.

    Only faces that a ruling names, and faces of people that it names, change hands. Every folder that changes or goes
    is kept first, so that a ruling that is taken back gives the former state again, byte for byte where nothing else
    changed, in whatever order rulings are taken back. A merged name leads to the one that stays. No later run brings
    back what a ruling decided.
    """
    page, library = Page(context, home, embedder), home.library()
    run = run_of(context, home, embedder, config)
    result = apply_rulings(run, Author.here("job"), config.request(), config.undo)
    if result.says_something:
        sheet = applied_sheet(result, library)
        changes = ", ".join(result.in_words()[:5])
        page.write("Rulings applied", applied_sections(result, sheet), "the report of this run", changes=changes)
        page.observe(library)
    _set_numbers(embedder, result.in_force)
    observe_obeyed(context, library, [ruling.ruling_id for ruling in result.in_force])
    page.say(f"{len(result.obeyed)} new rulings, {len(result.taken_back)} taken back")
    return _described(page, library, result, config.model_dump())


def _set_numbers(embedder: EmbedderResource, in_force: Sequence[Ruling]) -> None:
    """Makes the numbers that people set the home's defaults."""
    model_id, file = embedder.pack().model_id, embedder.ruled_file()
    if file is not None:
        write_ruled_numbers(file, model_id, ruled_numbers(in_force, model_id))


def _described(page: Page, library: Library, result: ApplyResult, parameters: dict[str, object]) -> Result:
    page.show_review("applied_rulings", "every ruling, each to be taken back")
    leads = sorted(redirects(library.registry).items())
    in_force = [ruling.ruling_id for ruling in result.in_force]
    touched = sorted(result.update.outcome.touched_undeclared)
    note = None if result.says_something else "Every ruling in force was applied already."
    return page.result(
        {"note": note, **applied_tables(result)},
        {"in_force": len(in_force), "parameters": parameters},
        rows=len(result.obeyed) + len(result.taken_back),
        version=text_version(repr((leads, in_force))),
        checks=[UNTOUCHED.result(not touched, touched=touched)],
    )

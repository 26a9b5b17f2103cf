"""Merges undone; the asset behind the job `undo_merges`."""

from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import UNTOUCHED, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._versions import text_version
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.undone_merges import UndoResult, undo_merges
from facesets_dagster.registry.merges import redirects
from facesets_dagster.reports.merge_page import undone_sections
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class UndoneMergesConfig(PhotoConfig):
    """The merges to undo, by the names that were merged. Without a name nothing happens."""

    undo: list[str] = Field(
        default=[],
        description='Names that were merged into another, e.g. [faceset_031]; ["*"] = all of them. In any order.',
    )


@library_asset(kinds={"png", "sqlite"}, pool="library", checks=[UNTOUCHED])
def undone_merges(
    context: AssetExecutionContext, config: UndoneMergesConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """The merges named in the run config, undone: each merged name is live again with the faces that it brought.

    Keeper and merged faceset, their eras, their labels and their entries in the manifest become byte for byte what they
    would be without that merge, in whatever order merges are undone. Faces that joined the keeper since then stay with
    it.
    """
    page, library, result = Page(context, home, embedder), home.library(), None
    if config.undo:
        result = undo_merges(run_of(context, home, embedder, config), config.undo)
        changes = ", ".join(f"{name} out of {keeper}" for name, keeper in list(result.back.items())[:5])
        page.write("Merges undone", undone_sections(result, library), "the report of this run", changes=changes)
        page.observe(library)
    page.say(f"{len(result.back) if result else 0} merges undone")
    return _described(page, library, result, config.model_dump())


def _described(page: Page, library: Library, result: UndoResult | None, parameters: dict[str, object]) -> Result:
    leads = sorted(redirects(library.registry).items())
    then, version = {"in_force": len(leads), "parameters": parameters}, text_version(repr(leads))
    if result is None:
        note = "Nothing was named. Name merged facesets in `undo`, e.g. [faceset_031]."
        return page.result({"note": note}, then, rows=0, version=version, checks=[UNTOUCHED.result(True)])
    touched = sorted(result.update.outcome.touched_undeclared)
    return page.result(
        {
            "back": [f"{name} out of {keeper}" for name, keeper in result.back.items() if name not in result.vanished],
            "nothing_left": result.vanished,
            "stood_alone_already": result.already,
            "byte_for_byte_as_before": result.as_before[:500],
        },
        then,
        rows=len(result.back),
        version=version,
        checks=[UNTOUCHED.result(not touched, touched=touched)],
    )

"""The library's table of contents."""

from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext

from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._consent import CONSENT_KEPT, consent_check, consent_here
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.library import library
from facesets_dagster.library.top_manifest import read_top_manifest
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.reports.index import bring_up_index
from facesets_dagster.reports.markdown import MAX_ROWS, faceset_link, link, markdown_table
from facesets_dagster.reports.people import people_in, people_sheet, title_of
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


@library_asset(kinds={"json"}, deps=[library, "swap_ready_facesets"], pool="library", checks=[CONSENT_KEPT])
def top_manifest(context: AssetExecutionContext, home: HomeResource, embedder: EmbedderResource) -> Result:
    """The library's table of contents, `facesets_swap_ready/manifest.json`, over all buckets: merged, never rewritten.

    Entries of facesets that did not change keep their bytes, keys that you added are kept, and names out of use are
    listed as tombstones. It reads the library, so a bucket that was never materialized does not matter.
    """
    page, library = Page(context, home), home.library()
    consent = consent_here(home, embedder)
    changed = merge_top_manifest(library, f"run {context.run.run_id}", context.log.info)
    manifest = read_top_manifest(library.folder)
    facesets, tombstones = manifest.listed("facesets"), manifest.listed("tombstones")
    words = f"{counted(len(facesets), 'faceset')}, {counted(len(tombstones), 'tombstone')}"
    page.say(f"{words}, {'merged' if changed else 'unchanged'}")
    bring_up_index(Path(home.reports_dir))
    # Of a legacy faceset that was never published here it is whatever its library said.
    exported = sum(count for entry in facesets if isinstance(count := entry.get("exported"), int))
    people = people_in(library.folder, eras=False)
    page.show(people=link("all people, with a face each", "library", ""))
    page.show_sheets(contact_sheet=people_sheet(people, library.folder, Path(home.cache_dir)))
    return page.result(
        {"facesets": len(facesets), "exported": exported, "table": _table(facesets)},
        {
            "tombstones": len(tombstones),
            "changed": changed,
            "runs": link("all runs", "reports", "index.html"),
            "path": dg.MetadataValue.path(str(library.folder / "manifest.json")),
        },
        rows=len(facesets),
        version=text_version(manifest.text),
        checks=[consent_check(consent, Path(home.exports_dir))],
    )


def _table(facesets: list[dict[str, object]]) -> str:
    """The metadata stays small, the manifest has them all."""
    columns = ("label", "kind", "bucket", "input", "exported")
    shown = facesets[:MAX_ROWS]
    rows = [[faceset_link(str(row["name"])), *(_cell(row, column) for column in columns)] for row in shown]
    more = len(facesets) - len(shown)
    return markdown_table(("faceset", "person", *columns[1:]), rows, more=more, rest="the manifest")


def _cell(row: dict[str, object], column: str) -> object:
    return title_of(str(row["bucket"])) if column == "bucket" and row.get("bucket") else row.get(column)

"""The library's table of contents."""

import json
from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.applied_merges import applied_merges
from facesets_dagster.assets.era_facesets import era_facesets
from facesets_dagster.assets.swap_ready_facesets import swap_ready_facesets
from facesets_dagster.assets.undone_merges import undone_merges
from facesets_dagster.library.numbering import read_manifest
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


@dg.asset(
    deps=[swap_ready_facesets, era_facesets, applied_merges, undone_merges],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json"},
    code_version=CODE_VERSION,
    pool="library",
)
@teaching
def top_manifest(context: AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """`facesets_swap_ready/manifest.json` over all buckets: merged, never rewritten.

    Entries of facesets that did not change keep their bytes, keys that someone added are kept, names that are out of
    use stand as tombstones. It reads the library, so a bucket that was never materialized does not matter.
    """
    story, library = Story(context), home.library()
    changed = merge_top_manifest(library, f"run {context.run.run_id}", context.log.info)
    manifest = read_manifest(library.folder)
    facesets, tombstones = manifest["facesets"], manifest["tombstones"]
    assert isinstance(facesets, list)
    assert isinstance(tombstones, list)
    story.tell(
        f"{counted(len(facesets), 'faceset')}, {counted(len(tombstones), 'tombstone')}, "
        f"{'merged' if changed else 'unchanged'}"
    )
    return dg.MaterializeResult(
        data_version=text_version(json.dumps(manifest, sort_keys=True)),
        metadata={
            "dagster/row_count": len(facesets),
            "facesets": len(facesets),
            "tombstones": len(tombstones),
            # Of a legacy faceset that was never published here it is whatever its library said.
            "exported": sum(count for entry in facesets if isinstance(count := entry.get("exported"), int)),
            "changed": changed,
            "path": dg.MetadataValue.path(str(Path(home.library_dir) / "manifest.json")),
            "runs": link("all runs", "reports", "index.html"),
            "seconds": story.seconds(),
            "table": dg.MetadataValue.md(_table(facesets)),
        },
    )


def _table(facesets: list[dict[str, object]]) -> str:
    """At most 500 rows: the metadata stays small, the manifest has them all."""
    head = ["| faceset | person | kind | bucket | input | exported |", "| --- | --- | --- | --- | ---: | ---: |"]
    rows = [
        [
            markdown_link(str(row["name"]), "library", str(row["name"])),
            *(str(row.get(column) or "").replace("|", "\\|") for column in ("label", "kind", "bucket")),
            *(str(row.get(column)) for column in ("input", "exported")),
        ]
        for row in facesets[:500]
    ]
    more = [f"\n{len(facesets) - 500} more in the manifest"] if len(facesets) > 500 else []
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows), *more])

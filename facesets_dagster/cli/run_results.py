"""What `facesets run` prints of the runs of its buckets: the table, what to do, and the places."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from facesets_dagster.cli.run_changes import hints, system_changes
from facesets_dagster.cli.tables import text_table
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings


@dataclass(frozen=True)
class BucketResult:
    """Result of a bucket's run."""

    bucket: str
    success: bool
    run_id: str
    metadata: dict[str, Any]
    problem: str
    interrupted: bool


def print_summary(settings: Settings, results: list[BucketResult], console: Console) -> None:
    """The table of the results and that of the library, then the places of the files."""
    if results:
        console.print(text_table("Buckets", [_row(result) for result in results]))
        for result in results:
            for line in result.metadata.get("face_cache", {}).get("not_read", []):
                console.print(f"{bucket_title(result.bucket)}: {line}", markup=False, soft_wrap=True)
            for line in [*system_changes(result.metadata), *hints(result.metadata)]:
                console.print(f"{bucket_title(result.bucket)}: {line}", markup=False, soft_wrap=True)
    from facesets_dagster.cli.status import library_table

    library = HomeResource.of(settings).library()
    console.print(library_table(library))
    places = {
        "library": library.folder,
        "manifest": library.folder / "manifest.json",
        "reports": settings.reports_dir / "index.html",
    }
    console.print("\n".join(f"{name:10}{path}" for name, path in places.items()), markup=False, soft_wrap=True)
    for result in results:
        if result.problem:
            console.print(f"{bucket_title(result.bucket)}: {result.problem}", style="red", markup=False)


def result_json(result: BucketResult) -> dict[str, object]:
    """The row of the table, with key and run."""
    row = _row(result)
    problem = result.problem or None
    return {**row, "bucket": result.bucket, "bucket_name": row["bucket"], "run_id": result.run_id, "problem": problem}


def _row(result: BucketResult) -> dict[str, object]:
    cache, coverage = result.metadata.get("face_cache", {}), result.metadata.get("osrc_uncovered", {})
    sets = result.metadata.get("swap_ready_facesets", {})
    founded, changed, retired = (len(sets.get(key, [])) for key in ("founded", "changed", "retired"))
    kept = len(sets.get("facesets", {})) - founded - changed - len(sets.get("revived", []))
    note = "same" if sets.get("unchanged") and not system_changes(result.metadata) else "done"
    if not result.success:
        note = "ended" if result.interrupted else "failed"
    return {
        "bucket": bucket_title(result.bucket),
        "photos": cache.get("files"),
        "faces": cache.get("faces"),
        "covered": coverage.get("covered"),
        "new": founded,
        "changed": changed,
        "kept": max(kept, 0),
        "retired": retired,
        "exported": sets.get("exported"),
        "result": note,
    }

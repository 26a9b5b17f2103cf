"""Reports that show or name what is forgotten: removed. They can be made again from what stays."""

from pathlib import Path

from facesets_dagster.photos.bucket_key import file_name, is_pseudo
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.remains import Swept, drop_lines
from facesets_dagster.publishing.forgetting.traces import Traces
from facesets_dagster.reports.index import write_index


def clear_reports(reports_dir: Path, plan: ForgetPlan, traces: Traces, swept: Swept) -> None:
    """Removes reports of the buckets that lose something, pages on the whole library, and others that name it.

    A picture of a face cannot be found by searching: of pages that may show one, all go.
    """
    for folder in sorted(path for path in reports_dir.glob("*") if path.is_dir()):
        if folder.name in map(file_name, plan.buckets):
            swept.remove(folder, "reports")
            continue
        every = folder.name in map(file_name, plan.touched_buckets()) or is_pseudo(folder.name)
        for page in sorted(path for path in folder.rglob("*") if path.is_file()):
            if every or traces.in_file(page):
                swept.remove(page, "reports")
    swept.counts["reports"] += drop_lines(reports_dir / "runs.jsonl", traces)
    if reports_dir.is_dir():
        write_index(reports_dir)

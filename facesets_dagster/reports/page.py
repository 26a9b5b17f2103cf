"""The report of a run as one HTML file without requests to anywhere, and as Markdown.

    reports/<bucket>/<run_id>.html      everything, with plots, contact sheets and the reason of every face
    reports/<bucket>/<run_id>.md        the same sections as text

Pictures are small JPEGs inside the page; how many there are is limited, so that a page stays readable and below about
10 MB whatever the bucket.
"""

from functools import partial
from pathlib import Path

import polars as pl

from facesets_dagster.faces.schema import failed_photos
from facesets_dagster.files.writing import write_text
from facesets_dagster.photos.bucket_key import file_name, folder_name
from facesets_dagster.reports.funnel import colour_of, meaning_of
from facesets_dagster.reports.index import RunLine, add_run
from facesets_dagster.reports.links import PhotoLinks, bucket_link, faceset_link
from facesets_dagster.reports.run_report import RunReport
from facesets_dagster.reports.template import template, when
from facesets_dagster.reports.units import EXPORT_COLUMNS, RANK


def write_report(reports_dir: Path, report: RunReport, *, changes: str) -> Path:
    """Writes both, enters the run into the index and returns the path of the page. `changes`: in a few words."""
    folder, run_id = reports_dir / file_name(report.inputs.bucket), report.run.run_id
    page, text = folder / f"{run_id}.html", folder / f"{run_id}.md"
    bucket = folder_name(report.inputs.bucket)
    most = max(report.funnel.states.values(), default=1)
    content = {
        "title": f"{bucket}, {when(report.finished_at)}",
        "bucket": bucket,
        "report": report,
        "pack": report.run.pack,
        "meaning": meaning_of,
        "colour": colour_of,
        "width": lambda count: max(round(100 * count / most), 1),
        "photo_link": PhotoLinks(report.run.folders, folder).of,
        "faceset_link": partial(faceset_link, library_dir=report.run.library.folder, page_folder=folder),
        "bucket_link": bucket_link(report.inputs.bucket, report.run.folders[report.inputs.bucket], folder),
        "rank_legend": RANK,
        "export_columns": EXPORT_COLUMNS,
        "not_used": failed_photos(report.files).rows(named=True),
        "passed_over": report.files.filter(pl.col("status") == "foreign").rows(named=True),
    }
    write_text(page, template("run.html").render(content))
    write_text(text, template("run.md").render(content))
    exported = report.funnel.exported
    add_run(
        reports_dir, RunLine(report.inputs.bucket, run_id, report.finished_at, changes, report.funnel.faces, exported)
    )
    return page

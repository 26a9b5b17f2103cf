"""The report of a run as one HTML file without requests to anywhere, and as Markdown.

    reports/<bucket>/<run_id>.html      everything, with plots, contact sheets and the reason of every face
    reports/<bucket>/<run_id>.md        the same sections as text

Pictures are small JPEGs inside the page; how many there are is limited, so that a page stays readable and below about
10 MB whatever the bucket.
"""

from functools import cache, partial
from pathlib import Path
from typing import Any

from facesets_dagster.faces.schema import failed_photos
from facesets_dagster.files.writing import write_text
from facesets_dagster.photos.bucket_key import folder_name
from facesets_dagster.reports.data_uri import data_uri
from facesets_dagster.reports.funnel import colour_of, meaning_of
from facesets_dagster.reports.run_report import RunReport
from facesets_dagster.wording import counted


def write_report(reports_dir: Path, report: RunReport) -> tuple[Path, Path]:
    """Writes both and returns the paths of the page and of the text."""
    folder, run_id = reports_dir / report.inputs.bucket, report.run.run_id
    page, text = folder / f"{run_id}.html", folder / f"{run_id}.md"
    bucket = folder_name(report.inputs.bucket)
    most = max(report.funnel.states.values(), default=1)
    content = {
        "title": f"{bucket}, {report.finished_at}",
        "bucket": bucket,
        "report": report,
        "pack": report.run.pack,
        "meaning": meaning_of,
        "colour": colour_of,
        "width": lambda count: round(240 * count / most),
        "jpeg": partial(data_uri, "image/jpeg"),
        "not_used": failed_photos(report.files).rows(named=True),
    }
    write_text(page, template("run.html").render(content))
    write_text(text, template("run.md").render(content))
    return page, text


@cache
def template(name: str) -> Any:
    """A template of this package, compiled once; names and paths in HTML are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("facesets_dagster.reports"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name, globals={"counted": counted})

"""The list of all runs: `reports/runs.jsonl`, one line appended per run, and `reports/index.html` made of it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from facesets_dagster.errors import BucketError
from facesets_dagster.files.writing import write_text
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.template import template

MAX_SHOWN = 2000
"""The newest runs on the page; the file keeps all."""


@dataclass(frozen=True)
class RunLine:
    """A run in a line. A run that failed has its reason in `error` and no report."""

    bucket: str
    run_id: str
    finished_at: str
    changes: str = ""
    faces: int | None = None
    exported: int | None = None
    error: str | None = None
    system: str | None = None
    """Asset whose page this is; None for the report of the main chain."""


def add_run(reports_dir: Path, line: RunLine) -> None:
    """Appends the line and makes the index again; a run that is listed already with the same result is left alone."""
    known = {(run["run_id"], run.get("system"), run.get("error") is None) for run in _lines(reports_dir)}
    if (line.run_id, line.system, line.error is None) in known:
        return
    reports_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(reports_dir / "runs.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:  # one write: lines of two runs at once do not mix
        os.write(descriptor, (json.dumps(asdict(line)) + "\n").encode())
    finally:
        os.close(descriptor)
    write_index(reports_dir)


def write_index(reports_dir: Path) -> Path:
    """Makes `index.html`; a line that was cut off by a kill is passed over, a report that is gone is not linked."""
    runs = []
    lines = _lines(reports_dir)
    for run in lines[::-1][:MAX_SHOWN]:
        system = run.get("system")
        page = f"{run['run_id']}.{system}.html" if system else f"{run['run_id']}.html"
        link = f"{quote(run['bucket'])}/{page}" if (reports_dir / run["bucket"] / page).exists() else None
        runs.append({"error": None, **run, "name": _name(run["bucket"]), "system": system, "link": link})
    path = reports_dir / "index.html"
    write_text(path, template("index.html").render(title="Runs", runs=runs, total=len(lines)))
    return path


def _name(bucket: str) -> str:
    """A run can fail because its key is not valid."""
    try:
        return bucket_title(bucket)
    except BucketError:
        return bucket


def _lines(reports_dir: Path) -> list[dict[str, str]]:
    path = reports_dir / "runs.jsonl"
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found

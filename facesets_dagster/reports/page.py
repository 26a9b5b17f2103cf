"""The report of a run as one HTML file without requests to anywhere, and an index over all runs.

    reports/<bucket>/<run_id>.html      changes, funnel, contact sheets, parameters
    reports/runs.jsonl                  one line a run, appended; the index is made of it
    reports/index.html

Pictures are small JPEGs inside the page; how many there are is limited, so that a page stays readable and below about
10 MB whatever the bucket.
"""

import base64
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from facesets_dagster.library.funnel import count_states
from facesets_dagster.library.publish_bucket import PublishInputs, PublishResult
from facesets_dagster.photos.bucket_key import folder_name
from facesets_dagster.reports.changes import changes_in_words
from facesets_dagster.storage import write_text

MAX_FACESETS = 100
MAX_FACES = 24
"""Per faceset."""
_THUMBNAIL_PX = 128
_BAR_PX = 240
_MEANING = {
    "covered": "an identity of another bucket has them",
    "below_gate": "a quality gate",
    "outlier": "far from their cluster",
    "small_cluster": "too few photos to found an identity",
    "same_photo": "another face of the photo is nearer to the identity",
    "near_duplicate": "a better, almost equal face is exported",
    "below_export_gate": "too small to export",
    "export_outlier": "members, but too far from the centroid",
    "crop_failed": "no crop shows exactly this face",
    "exported": "in the facesets below",
}


def write_page(reports_dir: Path, inputs: PublishInputs, result: PublishResult, labels: dict[str, str | None]) -> Path:
    """Writes the page of a run, brings the index up to it, and returns the page's path. `labels`: faceset -> name."""
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    path = reports_dir / inputs.bucket / f"{inputs.run_id}.html"
    write_text(path, _template("run.html").render(**_content(inputs, result, labels, finished_at)))
    _append_run(reports_dir, inputs, result, finished_at)
    write_index(reports_dir)
    return path


def write_index(reports_dir: Path) -> Path:
    """Makes `index.html` of `runs.jsonl`; a line that was cut off by a kill is passed over."""
    runs = []
    for line in (reports_dir / "runs.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            run = json.loads(line)
        except ValueError:
            continue
        name = folder_name(run["bucket"])
        runs.append({**run, "name": name, "link": f"{quote(run['bucket'])}/{run['run_id']}.html"})
    path = reports_dir / "index.html"
    write_text(path, _template("index.html").render(title="Runs", runs=runs[::-1]))
    return path


def _template(name: str) -> Any:
    loader = PackageLoader("facesets_dagster.reports")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(name)


def _content(
    inputs: PublishInputs, result: PublishResult, labels: dict[str, str | None], finished_at: str
) -> dict[str, object]:
    states = count_states(result.funnel)
    most = max(states.values(), default=1)
    bucket = folder_name(inputs.bucket)
    covered = result.funnel.filter(pl.col("state") == "covered").group_by("identity").len().sort("identity")
    return {
        "title": f"{bucket}, {finished_at}",
        "bucket": bucket,
        "run_id": inputs.run_id,
        "finished_at": finished_at,
        "model": f"{inputs.pack.name} ({inputs.pack.model_id}, det_size {inputs.pack.det_size})",
        "folder": str(inputs.folder),
        "changes": changes_in_words(result.outcome, result.exported),
        "detected": len(result.funnel),
        "funnel": [
            {
                "state": state,
                "faces": count,
                "width": round(_BAR_PX * count / most),
                "meaning": _MEANING[state.split(":")[0]],
            }
            for state, count in states.items()
        ],
        "facesets": [
            _sheet(result.library_dir / name, name, labels.get(name)) for name in sorted(result.exported)[:MAX_FACESETS]
        ],
        "more_facesets": max(len(result.exported) - MAX_FACESETS, 0),
        "covered": covered.rows(),
        "parameters": [
            (asset, name, value)
            for asset, values in inputs.parameters_by_asset().items()
            for name, value in values.items()
        ],
    }


def _sheet(folder: Path, name: str, label: str | None) -> dict[str, object]:
    faces = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["faces"]
    return {
        "name": name,
        "label": label,
        "folder": str(folder),
        "exported": len(faces),
        "left_out": max(len(faces) - MAX_FACES, 0),
        "faces": [
            {
                "rank": face["rank"],
                "score": f"{face['rank_score']:.2f}",
                "photo": face["source"]["path"],
                "picture": _thumbnail(folder / face["file"]),
            }
            for face in faces[:MAX_FACES]
        ],
    }


def _thumbnail(path: Path) -> str:
    """A small JPEG as a data URI; nothing for a damaged file, of which the checks and `facesets verify` speak."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (OSError, SyntaxError):
        return "data:,"
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def _append_run(reports_dir: Path, inputs: PublishInputs, result: PublishResult, finished_at: str) -> None:
    outcome = result.outcome
    counts = {"founded": outcome.founded, "changed": outcome.changed, "retired": outcome.retired}
    line = {
        "bucket": inputs.bucket,
        "run_id": inputs.run_id,
        "finished_at": finished_at,
        "changes": ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names),
        "faces": len(result.funnel),
        "exported": count_states(result.funnel).get("exported", 0),
    }
    descriptor = os.open(reports_dir / "runs.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:  # one write: lines of two runs at once do not mix
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)

"""The plain report of a run: what changed per faceset, and the funnel, as `reports/<bucket>/<run_id>.md`."""

from pathlib import Path

import polars as pl

from facesets_dagster.library.funnel import count_states
from facesets_dagster.library.publication import Outcome
from facesets_dagster.library.publish_bucket import PublishInputs, PublishResult
from facesets_dagster.photos.bucket_key import folder_name
from facesets_dagster.storage import write_text


def write_change_report(reports_dir: Path, inputs: PublishInputs, result: PublishResult) -> Path:
    """Writes the report and returns its path."""
    outcome, funnel, exported = result.outcome, result.funnel, result.exported
    path = reports_dir / inputs.bucket / f"{inputs.run_id}.md"
    model = f"{inputs.pack.name} ({inputs.pack.model_id}, det_size {inputs.pack.det_size})"
    lines = [f"# {folder_name(inputs.bucket)}", "", f"Run {inputs.run_id}, model {model}.", "", "## Changes", ""]
    changes = [f"- {change}" for change in changes_in_words(outcome, exported)]
    lines += changes or ["Nothing changed: same photos, parameters and model as in the last run."]
    lines += ["", "## Faces", "", "| state | faces |", "| --- | --- |"]
    lines += [f"| {state} | {count} |" for state, count in count_states(funnel).items()]
    lines += [f"| detected | {len(funnel)} |", ""]
    ambiguous = funnel.filter(pl.col("ambiguous_with").is_not_null())
    if len(ambiguous):
        lines += ["## Ambiguous faces", "", "| face | nearest | also within reach |", "| --- | --- | --- |"]
        lines += [
            f"| {row[0]} | {row[1]} | {row[2]} |"
            for row in ambiguous.select("face_id", "nearest", "ambiguous_with").rows()
        ]
        lines.append("")
    write_text(path, "\n".join(lines))
    return path


def changes_in_words(outcome: Outcome, exported: dict[str, int]) -> list[str]:
    """One line per faceset that a run founded, changed, revived or retired."""
    groups = [
        ("founded", outcome.founded),
        ("changed", outcome.changed),
        ("found again, own number given back", outcome.revived),
        ("no longer found, moved to `_retired/`", outcome.retired),
    ]
    return [
        f"{name}: {word}" + (f", {exported[name]} faces exported" if name in exported else "")
        for word, names in groups
        for name in sorted(names)
    ]

"""What the main job makes of labelled photos, against the labels: precision before and after the export gates."""

import tempfile
import time
from pathlib import Path

import polars as pl

from facesets_dagster.publishing.funnel import count_states
from testing.homes import RealHome, files_below, link_photos
from testing.measurements.labels import labelled_faces, pair_scores, read_labels
from testing.measurements.row import Row
from testing.paths import SHARED

BUCKET = "all"
TARGET = ">= 0.99"


def measure_curation(pack: str, models_root: Path, folder: Path | None = None) -> list[Row]:
    """`labelled`, `groups` and `formats` as one bucket through the main job. `folder`: kept home, else temporary."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(folder or Path(scratch), pack, models_root)
        if not (home.folder / "buckets" / BUCKET).exists():
            link_photos(home.folder / "buckets" / BUCKET, files_below(SHARED / "data", "labelled", "groups", "formats"))
        home.facesets("init")
        started = time.monotonic()
        home.facesets("run", BUCKET)
        seconds = time.monotonic() - started
        home.facesets("verify")
        return _scores(home, seconds)


def _scores(home: RealHome, seconds: float) -> list[Row]:
    tables, clusters = home.cached(BUCKET), home.clusters(BUCKET)
    decisions = home.library.registry.decisions(BUCKET)
    person_of = labelled_faces(tables.faces, read_labels(SHARED / "data"))
    status = dict(tables.files.group_by("status").len().sort("status").iter_rows())
    exported = decisions.filter(pl.col("state") == "exported")
    candidates = clusters.filter(pl.col("state") == "candidate")
    rows = [
        Row("files", len(tables.files), "files", note=_counts(status)),
        Row("faces", len(tables.faces), "faces", note=f"{len(person_of)} of them labelled"),
    ]
    for name, column, table in (
        ("clusters before the gates", "cluster", clusters.filter(pl.col("cluster") >= 0)),
        ("candidates before the export gates", "cluster", candidates),
        ("exported facesets", "identity", exported),
    ):
        group_of = dict(table.select("face_id", column).iter_rows())
        precision, recall, pairs = pair_scores(group_of, person_of)
        note = f"{pairs} labelled pairs in {table[column].n_unique()} groups, recall {recall:.3f}"
        rows.append(Row(f"pairwise precision: {name}", precision, "share", target=TARGET, met=precision >= 0.99,
                        note=note))  # fmt: skip
    states = count_states(decisions)
    rows.append(Row("exported faces", states.get("exported", 0), "faces", note=_counts(states)))
    rows.append(Row("first run", round(seconds, 1), "s", note="not a benchmark of speed; for orientation only"))
    return rows


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())

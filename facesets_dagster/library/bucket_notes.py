"""What a registry knows of a bucket beside its facesets, kept in the library for recovery.

    _registry/buckets/<first 32 digits of the key's sha256>.parquet    the funnel; in its metadata the last run

A run of the bucket writes it after its report, and any other publication that replaces a funnel. It may be older than
the registry: then recovery lets the bucket be judged anew.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.writing import write_parquet
from facesets_dagster.library.pair import NOTES
from facesets_dagster.registry.joins import JOIN_SCHEMA, joins_of
from facesets_dagster.registry.registry import DECISION_SCHEMA, BucketRun, Registry

SCHEMA_VERSION = 1
_KEY = "facesets_bucket"
"""Of the file's metadata."""
_JOINS = {name: f"join_{name}" for name in JOIN_SCHEMA.names() if name != "face_id"}
_SCHEMA = pl.Schema({**DECISION_SCHEMA, **{_JOINS[name]: JOIN_SCHEMA[name] for name in _JOINS}})


@dataclass(frozen=True)
class BucketNote:
    """The last run of a bucket, and what became of its faces."""

    run: BucketRun
    extension: tuple[str, float | None] | None
    """Inputs and distance by which its faces last joined known people."""
    folder_digest: str
    """State of the bucket's folder that the library was up to; empty if it was up to none."""
    funnel: pl.DataFrame
    """Rows of `DECISION_SCHEMA`."""
    joins: pl.DataFrame
    """Rows of `JOIN_SCHEMA`."""


def note_bucket(library_dir: Path, registry: Registry, bucket: str) -> None:
    """Writes the note of a bucket as the registry has it, unless it stands there."""
    run, path = registry.bucket_run(bucket), note_path(library_dir, bucket)
    if run is None:
        return
    head = _head(run, registry.extension(bucket), registry.folder_digest(bucket) or "")
    funnel, joins = registry.decisions(bucket), joins_of(registry, bucket)
    table = funnel.join(joins.rename(_JOINS), on="face_id", how="left") if len(joins) else funnel
    table = table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in _SCHEMA.items() if name not in table)
    table = table.select(_SCHEMA.names()).sort("face_id")
    if _stands(path, head, table):
        return
    write_parquet(path, table, {_KEY: head})


def is_noted(library_dir: Path, registry: Registry, bucket: str) -> bool:
    """Whether there is a note of the bucket's last run: a run that was killed at its very end leaves an older one."""
    run = registry.bucket_run(bucket)
    return run is None or run_on_note(library_dir, bucket) == f"{run.run_id} {run.inputs_digest}"


def note_path(library_dir: Path, bucket: str) -> Path:
    """Where the note of a bucket lies; a key may be longer than a file's name."""
    return (
        _folder(library_dir) / f"{hashlib.sha256(bucket.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.parquet"
    )


def remove_notes_of_others(library_dir: Path, buckets: set[str]) -> None:
    """Removes the notes of all but these buckets."""
    wanted = {note_path(library_dir, bucket) for bucket in buckets}
    for path in _folder(library_dir).glob("*.parquet"):
        if path not in wanted:
            path.unlink(missing_ok=True)


def run_on_note(library_dir: Path, bucket: str) -> str | None:
    """Inputs and run of the note of a bucket; None if there is none that can be read."""
    try:
        head = json.loads(pl.read_parquet_metadata(note_path(library_dir, bucket))[_KEY])
        return f"{head['run']['run_id']} {head['run']['inputs_digest']}"
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None


def bucket_notes(library_dir: Path) -> tuple[list[BucketNote], list[str]]:
    """All notes, and a sentence for each that cannot be read."""
    notes, problems = [], []
    for path in sorted(_folder(library_dir).glob("*.parquet")):
        try:
            notes.append(_read(path))
        except LibraryCorrupt as error:
            problems.append(str(error))
    return notes, problems


def _read(path: Path) -> BucketNote:
    try:
        head = json.loads(pl.read_parquet_metadata(path)[_KEY])
        if head["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {head['schema_version']}, this release reads {SCHEMA_VERSION}")
        table = pl.read_parquet(path).cast(_SCHEMA)
        extension = head["extension"]
        return BucketNote(
            BucketRun(**head["run"]),
            None if extension is None else (str(extension[0]), extension[1]),
            str(head["folder_digest"]),
            table.select(DECISION_SCHEMA.names()),
            table.filter(pl.col(_JOINS["distance"]).is_not_null())
            .select("face_id", *_JOINS.values())
            .rename({there: here for here, there in _JOINS.items()}),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, pl.exceptions.PolarsError) as error:
        raise LibraryCorrupt(
            f"{path} cannot be read ({type(error).__name__}: {str(error)[:200]}). It is written again by the next run "
            "of its bucket that publishes. Nothing was changed."
        ) from error


def _head(run: BucketRun, extension: tuple[str, float | None] | None, folder_digest: str) -> str:
    head = {"schema_version": SCHEMA_VERSION, "run": asdict(run), "extension": extension}
    return json.dumps({**head, "folder_digest": folder_digest}, sort_keys=True)


def _stands(path: Path, head: str, table: pl.DataFrame) -> bool:
    try:
        return pl.read_parquet_metadata(path).get(_KEY) == head and pl.read_parquet(path).equals(table)
    except (OSError, pl.exceptions.PolarsError):
        return False


def _folder(library_dir: Path) -> Path:
    return library_dir / NOTES / "buckets"

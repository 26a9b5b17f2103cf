"""The coverage step on a made-up home, as `osrc_uncovered` does it: what `clustering_jobs` measures of it.

A fifth of the faces are members already, and the bucket founded a fifth of the identities.
"""

import time
from pathlib import Path

import numpy as np
import polars as pl
import sqlalchemy as sa

from benchmarks.peak_memory import peak_mb
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, face_schema
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.library.coverage import cover_bucket
from facesets_dagster.library.library import Library
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry
from testing.hard_faces import hard_faces

BUCKET, MODEL = "here", "made up"
FIFTH = 5
DISTANCE = 0.45

Answer = dict[str, object]


def make_coverage(home: str, count: int, people: int, dim: int) -> Answer:
    """A face cache of so many faces, and a registry of so many identities and of a fifth of the faces as members."""
    faces = hard_faces(count, dim)[0]
    ids = [f"{number:016x}-00000000" for number in range(count)]
    schema = face_schema(dim)
    frame = pl.DataFrame({"face_id": ids, "embedding": pl.Series(faces)}).with_columns(
        bucket=pl.lit(BUCKET), source_missing=pl.lit(False), model_id=pl.lit(MODEL)
    )
    missing = [pl.lit(None, schema[name]).alias(name) for name in schema if name not in frame.columns]
    frame = frame.with_columns(*missing).select(schema.names()).cast(dict(schema))
    tables = CacheTables(frame, pl.DataFrame(schema=CONTENT_SCHEMA), pl.DataFrame(schema=FILE_SCHEMA))
    _store(home, dim).compact(tables)
    library = _library(home)
    centres = hard_faces(people, dim, seed=1)[0]
    identities = [
        {"name": f"faceset_{number:05d}", "number": number, "kind": "discovered", "live": True, "run_id": "run",
         "bucket": "there" if number % FIFTH else BUCKET, "founded": number, "model_id": MODEL,
         "centroid": centre.tobytes()}
        for number, centre in enumerate(centres, start=1)
    ]  # fmt: skip
    whose = np.random.default_rng(0).integers(1, people + 1, count)
    members = [
        {"name": f"faceset_{whose[place]:05d}", "bucket": BUCKET, "face_id": ids[place], "joined_by": "founding",
         "run_id": "run"}
        for place in range(0, count, FIFTH)
    ]  # fmt: skip
    with library.registry.engine.begin() as connection:
        connection.execute(sa.insert(t.identities), identities)
        connection.execute(sa.insert(t.members), members)
    return {"count": count}


def coverage(home: str, dim: int) -> Answer:
    """The step from the tables on disk to its own table and that table's version."""
    library, store = _library(home), _store(home, dim)
    start = time.perf_counter()
    identities = library.registry.identities()
    ids, found = cover_bucket(library, store, BUCKET, identities, model_id=MODEL, dim=dim)
    table = coverage_table(ids, found, cover_distance=DISTANCE, generation=1, model_id=MODEL)
    frame_version(table.drop("generation"))
    return {
        "seconds": time.perf_counter() - start, "peak_mb": peak_mb(),
        "members": int(table["member_of"].is_not_null().sum()),
    }  # fmt: skip


def _store(home: str, dim: int) -> FaceStore:
    return FaceStore(Path(home) / "cache", BUCKET, MODEL, dim)


def _library(home: str) -> Library:
    Path(home).mkdir(parents=True, exist_ok=True)
    library = Library(Path(home) / "library", Registry(f"sqlite:///{Path(home) / 'registry.sqlite'}"), ())
    library.registry.create()
    return library

"""The exported faces of facesets as a table, with the photo that each comes from."""

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from facesets_dagster.analysis.published_facesets import PublishedFaceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, rows_of_members

FACE_SCHEMA = pl.Schema(
    {
        "faceset": pl.String(),
        "rank": pl.Int64(),
        "face_id": pl.String(),
        "bucket": pl.String(),
        "sha256": pl.String(),
        "path": pl.String(),
        "aliases": pl.List(pl.String),
        "turn": pl.Int16(),
        "bbox": pl.Array(pl.Float32, 4),
    }
)
"""Exported faces with their photo; columns as in the face table."""


def faces_of(facesets: Sequence[PublishedFaceset], library: Library, store_of: StoreOf, top: int) -> pl.DataFrame:
    """Rows of `FACE_SCHEMA` of the `top` best faces of each faceset, 0 = all; a face of two facesets stands twice.

    The photo's path is the one that the face table has now, else that of the manifest.
    """
    chosen = [(faceset.name, face) for faceset in facesets for face in faceset.faces[: top or None]]
    cached = rows_of_members(library, store_of, {face.face_id: face.source.bucket for _, face in chosen})
    photos = {} if cached is None else {row["face_id"]: row for row in cached.select(_COLUMNS).iter_rows(named=True)}
    rows = []
    for name, face in chosen:
        listed = {**asdict(face.source), "aliases": list(face.source.aliases)}
        now = photos.get(face.face_id, listed)
        entry = {"faceset": name, "rank": face.rank, "face_id": face.face_id, "bbox": list(face.bbox)}
        rows.append({**entry, **{key: now[key] for key in listed}})
    return pl.DataFrame(rows, schema=FACE_SCHEMA)


_COLUMNS = ("face_id", "bucket", "sha256", "path", "aliases", "turn")

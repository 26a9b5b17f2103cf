"""Perceptual hashes of faces, made once and kept: `cache/perceptual_hashes/<model_id>.parquet`.

The cache may be deleted; a run that needs the hashes makes them again.
"""

from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.files.kept_tables import read_kept
from facesets_dagster.files.writing import remove_leftovers, write_parquet
from facesets_dagster.photos.perceptual_hash import HASH_VERSION, face_hashes

HASH_SCHEMA = pl.Schema({"face_id": pl.String, "face": pl.UInt64, "head": pl.UInt64})
_KEEP_EVERY = 1000


def hashes_of(rows: pl.DataFrame, load_photo: LoadPhoto, cache_dir: Path, model_id: str) -> pl.DataFrame:
    """Rows of `HASH_SCHEMA` for rows of the face table; a face whose photo cannot be read now is left out.

    What is not cached is made of the photo, one photo after the other, and kept every so many faces.
    """
    path = cache_dir / "perceptual_hashes" / f"{model_id}.parquet"
    known = read_kept(path, HASH_SCHEMA, hash_version=str(HASH_VERSION))
    wanted = rows["face_id"].implode()
    missing = rows.filter(~pl.col("face_id").is_in(known["face_id"].implode())).sort("sha256", "face_id")
    made: list[tuple[str, int, int]] = []
    for face_id, sha256, bbox in missing.select("face_id", "sha256", "bbox").iter_rows():
        try:
            found = face_hashes(load_photo(sha256), np.asarray(bbox, np.float64))
        except PhotoError:
            continue
        made.append((face_id, found.face, found.head))
        if len(made) >= _KEEP_EVERY:
            known, made = _kept(path, known, made), []
    if made:
        known = _kept(path, known, made)
    return known.filter(pl.col("face_id").is_in(wanted))


def _kept(path: Path, known: pl.DataFrame, made: list[tuple[str, int, int]]) -> pl.DataFrame:
    remove_leftovers(path.parent)
    known = pl.concat([known, pl.DataFrame(made, schema=HASH_SCHEMA, orient="row")]).sort("face_id")
    write_parquet(path, known, {"schema_version": "1", "hash_version": str(HASH_VERSION)})
    return known

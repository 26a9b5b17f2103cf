"""`members.parquet` of a faceset's folder: rows of the face table, with how each face joined and its state."""

from pathlib import Path

import polars as pl

from facesets_dagster.faces.schema import completed, face_schema


def read_members(path: Path) -> pl.DataFrame:
    """The table, with the columns of the face table that an older release did not write as null.

    Raises `FileNotFoundError` if there is none.
    """
    return completed(pl.read_parquet(path), face_schema(1))

"""`members.parquet` of a faceset's folder: rows of the face table, with how each face joined and its state."""

from pathlib import Path

import polars as pl

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.faces.schema import completed, face_schema


def read_members(path: Path) -> pl.DataFrame:
    """The table, with the columns of the face table that an older release did not write as null.

    Raises `FileNotFoundError` if there is none, `LibraryCorrupt` if it cannot be read.
    """
    try:
        return completed(pl.read_parquet(path), face_schema(1))
    except FileNotFoundError:
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        raise LibraryCorrupt(
            f"{path} cannot be read ({str(error)[:120]}). Restore the folder from a backup, or move it away and "
            "materialize swap_ready_facesets of its bucket; `facesets verify` lists all that is damaged. Nothing was "
            "changed."
        ) from error

"""Tables that may be made again at any time: a file that is absent, damaged or of another form counts as empty."""

from pathlib import Path

import polars as pl


def read_kept(path: Path, schema: pl.Schema, **metadata: str) -> pl.DataFrame:
    """The table of a Parquet file if it has this schema and these metadata, else an empty one."""
    try:
        found, frame = pl.read_parquet_metadata(path), pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError):
        return pl.DataFrame(schema=schema)
    return frame if frame.schema == schema and metadata.items() <= found.items() else pl.DataFrame(schema=schema)

"""What was seen in the archives of a faceset, kept until an archive, the models or the sizes change.

    cache/consumer_simulation/<model_id>/<faceset>.parquet

One row per entry of an archive and detector size, found by the archive's sha256. The cache may be deleted; archives are
then looked at again. Knows nothing of the library.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.export.as_roop import SeenArchive, SeenPicture
from facesets_dagster.files.kept_tables import read_kept
from facesets_dagster.files.writing import remove_leftovers, write_parquet

SCHEMA_VERSION = "1"

Looks = dict[tuple[str, int], SeenArchive]
"""sha256 of an archive and detector size -> what is seen in it."""


def look_schema(dim: int) -> pl.Schema:
    """Columns for embeddings of length `dim`."""
    return pl.Schema(
        {
            "archive_sha256": pl.String(),
            "det_size": pl.Int64(),
            "file": pl.String(),
            "picture_sha256": pl.String(),
            "readable": pl.Boolean(),
            "bbox": pl.List(pl.Array(pl.Float32, 4)),
            "det_score": pl.List(pl.Float32),
            "embeddings": pl.List(pl.Array(pl.Float32, dim)),
        }
    )


class LookStore:
    """The looks of one `model_id`, a file per faceset."""

    def __init__(self, cache_dir: Path, model_id: str, dim: int) -> None:
        self._folder = cache_dir / "consumer_simulation" / model_id
        self._dim = dim

    def path(self, faceset: str) -> Path:
        """Where the looks of this faceset are kept."""
        return self._folder / f"{faceset}.parquet"

    def read(self, faceset: str) -> Looks:
        """What is on record."""
        frame = read_kept(self.path(faceset), look_schema(self._dim), schema_version=SCHEMA_VERSION)
        groups = frame.partition_by("archive_sha256", "det_size", as_dict=True, maintain_order=True)
        return {(str(sha256), int(size)): self._archive(rows) for (sha256, size), rows in groups.items()}

    def write(self, faceset: str, looks: Mapping[tuple[str, int], SeenArchive]) -> None:
        """Replaces what is on record of this faceset."""
        rows = [
            {"archive_sha256": sha256, "det_size": size, **row}
            for (sha256, size), archive in sorted(looks.items())
            for row in _rows(archive)
        ]
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self._folder)
        frame = pl.DataFrame(rows, schema=look_schema(self._dim))
        write_parquet(self.path(faceset), frame, {"schema_version": SCHEMA_VERSION})

    def _archive(self, rows: pl.DataFrame) -> SeenArchive:
        pictures = tuple(
            SeenPicture(
                row["file"],
                row["picture_sha256"],
                row["readable"],
                np.array(row["bbox"], np.float32).reshape(-1, 4),
                np.array(row["det_score"], np.float32),
                np.array(row["embeddings"], np.float32).reshape(-1, self._dim),
            )
            for row in rows.filter(pl.col("picture_sha256").is_not_null()).iter_rows(named=True)
        )
        return SeenArchive(pictures, tuple(rows.filter(pl.col("picture_sha256").is_null())["file"]))


def _rows(archive: SeenArchive) -> list[dict[str, object]]:
    """An entry that is passed over has a name and nothing else."""
    pictures: list[dict[str, object]] = [
        {
            "file": picture.file,
            "picture_sha256": picture.sha256,
            "readable": picture.readable,
            "bbox": picture.bbox.tolist(),
            "det_score": picture.det_score.tolist(),
            "embeddings": picture.embeddings.tolist(),
        }
        for picture in archive.pictures
    ]
    passed_over: list[dict[str, object]] = [{"file": name} for name in archive.passed_over]
    return [*pictures, *passed_over]

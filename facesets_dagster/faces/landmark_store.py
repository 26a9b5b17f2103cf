"""Values of the landmark models, computed once and kept.

    cache/face_landmarks/<model_id>/<task>-<first 16 digits of the model file's sha256>.parquet

By `model_id`, because a face's box is the detector's; by the enriching model, because its values are that model's. The
cache may be deleted; values are then computed again when needed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from filelock import FileLock

from facesets_dagster.embedding.landmarks import VALUES, ExtraModel, Values
from facesets_dagster.files.kept_tables import read_kept
from facesets_dagster.files.writing import remove_leftovers, write_parquet

SCHEMA_VERSION = "1"
_TYPES: dict[type[np.generic], type[pl.DataType]] = {np.float32: pl.Float32, np.int64: pl.Int64}


def landmark_schema(task: str) -> pl.Schema:
    """`face_id` and the values of one task."""
    columns: dict[str, pl.DataType] = {"face_id": pl.String()}
    for name, (dtype, shape) in VALUES[task].items():
        columns[name] = pl.Array(_TYPES[dtype], shape) if shape else _TYPES[dtype]()
    return pl.Schema(columns)


class LandmarkStore:
    """The tables of one `model_id`, one per task and enriching model."""

    def __init__(self, cache_dir: Path, model_id: str) -> None:
        self._folder = cache_dir / "face_landmarks" / model_id

    def path(self, model: ExtraModel) -> Path:
        """Where the values of this model are kept."""
        return self._folder / f"{model.task}-{model.sha256[:16]}.parquet"

    def read(self, model: ExtraModel) -> pl.DataFrame:
        """What is on record."""
        return read_kept(self.path(model), landmark_schema(model.task), schema_version=SCHEMA_VERSION)

    def add(self, model: ExtraModel, found: Sequence[tuple[str, Values]]) -> None:
        """Keeps values of faces beside what is on record, durable when this returns.

        One at a time: two runs may ask for landmarks at once, and none may lose what the other has found.
        """
        schema = landmark_schema(model.task)
        columns = {"face_id": [face_id for face_id, _ in found]}
        more = {name: [values[name].tolist() for _, values in found] for name in VALUES[model.task]}
        frame = pl.DataFrame({**columns, **more}, schema=schema)
        metadata = {"schema_version": SCHEMA_VERSION, "model_sha256": model.sha256}
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / ".lock"):
            remove_leftovers(self._folder)
            kept = pl.concat([self.read(model), frame]).unique("face_id", keep="last", maintain_order=True)
            write_parquet(self.path(model), kept.sort("face_id"), metadata)

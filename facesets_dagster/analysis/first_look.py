"""A first look at a bucket: the domain call behind `first_look`. The library is neither read nor written."""

from dataclasses import dataclass

import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.errors import BucketError
from facesets_dagster.faces.schema import failed_photos
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.first_look import NOFACE, first_look_at, groups_of
from facesets_dagster.photos.bucket_key import bucket_title


@dataclass(frozen=True)
class FirstLook:
    """All faces of a bucket in groups."""

    table: pl.DataFrame
    """`identities.first_look.FIRST_LOOK_SCHEMA`."""
    groups: pl.DataFrame
    """A row per group of two and more, the largest first."""
    faces: pl.DataFrame
    """The face table."""
    files: pl.DataFrame
    """The file table."""

    def in_folder(self, folder: str) -> int:
        """Rows of `_singletons`, `_noface` or a group."""
        return len(self.table.filter(pl.col("folder") == folder))

    def not_usable(self) -> int:
        """Photos that could not be read."""
        return len(failed_photos(self.files))

    def complete(self) -> bool:
        """Every face is in exactly one group, and every file without a face is listed."""
        without = len(self.files.filter(pl.col("status") == "noface"))
        placed = self.table["face_id"].drop_nulls()
        return sorted(placed) == sorted(self.faces["face_id"]) and self.in_folder(NOFACE) == without


def look_at_bucket(
    store: FaceStore, bucket: str, pack: ModelPack, *, cluster_distance: float, max_faces: int
) -> FirstLook:
    """Groups the cached faces. Raises `BucketError` if the bucket was not read with this model."""
    if store.folder_digest() is None:
        raise BucketError(
            f"The bucket {bucket_title(bucket)!r} was not read with the model {pack.name} yet, so it has no cached "
            "faces. Materialize face_cache of this bucket first."
        )
    tables = store.read()
    table = first_look_at(
        tables.faces,
        tables.files,
        cluster_distance=cluster_distance,
        max_faces=max_faces,
        bucket=bucket_title(bucket),
        model_id=pack.model_id,
    )
    return FirstLook(table, groups_of(table), tables.faces, tables.files)

"""What a scan asks of the home's block list (`library.block_list`): which files, contents and faces are not stored."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.faces.store import CacheTables
from facesets_dagster.photos.listing import BucketListing, PhotoFile


class Blocked(Protocol):
    """What was forgotten and does not come back."""

    def without_files(self, bucket: str, listing: BucketListing, /) -> BucketListing:
        """The listing without files that are known as blocked."""
        ...

    def has_content(self, sha256: str, /) -> bool:
        """Whether a photo with these bytes is blocked."""
        ...

    def has_name(self, name: str, /) -> bool:
        """Whether a hand-sorted folder, or a face set of a legacy library (ROOT/NAME), is blocked."""
        ...

    def allowed_faces(
        self, face_ids: Sequence[str], embeddings: NDArray[np.float32], model_id: str, /
    ) -> NDArray[np.bool_]:
        """Which faces may be stored; `embeddings` (n, dim) of this model, raw."""
        ...

    def note_files(self, bucket: str, files: Sequence[PhotoFile], /) -> None:
        """These files were opened and are blocked by their bytes."""
        ...


def allowed_tables(tables: CacheTables, blocked: Blocked, model_id: str) -> CacheTables:
    """The rows of contents and faces that may be stored."""
    allowed = [not blocked.has_content(one) for one in tables.contents["sha256"]]
    contents = tables.contents.filter(pl.Series(allowed, dtype=pl.Boolean))
    faces = tables.faces
    if len(faces):
        keep = blocked.allowed_faces(faces["face_id"].to_list(), faces["embedding"].to_numpy(), model_id)
        photos = pl.Series([not blocked.has_content(one) for one in faces["sha256"]], dtype=pl.Boolean)
        faces = faces.filter(pl.Series(keep) & photos)
    return CacheTables(faces, contents, tables.files)


class _Nothing:
    """Implements `Blocked` for a home where nothing was forgotten."""

    def without_files(self, _: str, listing: BucketListing) -> BucketListing:
        return listing

    def has_content(self, _: str) -> bool:
        return False

    def has_name(self, _: str) -> bool:
        return False

    def allowed_faces(self, face_ids: Sequence[str], _: NDArray[np.float32], __: str) -> NDArray[np.bool_]:
        return np.ones(len(face_ids), bool)

    def note_files(self, _: str, __: Sequence[PhotoFile]) -> None:
        pass


NOTHING: Blocked = _Nothing()

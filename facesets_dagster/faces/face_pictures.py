"""Small grey pictures of aligned faces, made once and kept: `cache/face_pictures/<model_id>.parquet`.

They tell copies of a photo from other photos of the same moment (`identities.looks`). Made of a photo where that is in
doubt only. The cache may be deleted; a run that needs the pictures makes them again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding import alignment
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.photo_loader import LoadPhoto, photo_loader
from facesets_dagster.files.kept_tables import read_kept
from facesets_dagster.files.writing import remove_leftovers, write_parquet

SIDE = 26
"""Side of a picture, px."""
_VERSION = "1"
"""Raised when the same pixels would give another picture."""
PICTURE_SCHEMA = pl.Schema({"face_id": pl.String(), "picture": pl.Array(pl.UInt8, SIDE * SIDE)})


@dataclass(frozen=True)
class PictureSource:
    """Where pictures are made of and kept."""

    folders: Mapping[str, Path]
    """Bucket -> where its photos lie."""
    max_pixels: int
    cache_dir: Path
    model_id: str

    def of(self, faces: pl.DataFrame) -> "FacePictures":
        """Of the faces of a face table."""
        return FacePictures(faces, photo_loader(self.folders, faces, self.max_pixels), self.cache_dir, self.model_id)


class FacePictures:
    """Pictures of the faces of a face table, by face_id."""

    def __init__(self, faces: pl.DataFrame, load_photo: LoadPhoto, cache_dir: Path, model_id: str) -> None:
        """`faces`: rows of the face table; `load_photo` is called for what is not kept."""
        self._faces, self._load_photo = faces, load_photo
        self._path = cache_dir / "face_pictures" / f"{model_id}.parquet"
        self._known: pl.DataFrame | None = None

    def __call__(self, face_ids: Sequence[str], /) -> dict[str, NDArray[np.uint8]]:
        """face_id -> (SIDE, SIDE); a face whose photo cannot be read now is left out."""
        known = read_kept(self._path, PICTURE_SCHEMA, version=_VERSION) if self._known is None else self._known
        wanted = self._faces.filter(pl.col("face_id").is_in(list(face_ids)))
        missing = wanted.filter(~pl.col("face_id").is_in(known["face_id"].implode())).sort("sha256", "face_id")
        made: list[tuple[str, list[int]]] = []
        for face_id, sha256, kps in missing.select("face_id", "sha256", "kps").iter_rows():
            try:
                photo = self._load_photo(sha256)
            except PhotoError:
                continue
            made.append((face_id, face_picture(photo, np.asarray(kps, np.float64)).ravel().tolist()))
        if made:
            known = self._kept(known, pl.DataFrame(made, schema=PICTURE_SCHEMA, orient="row"))
        self._known = known
        found = known.filter(pl.col("face_id").is_in(list(face_ids)))
        pictures = found["picture"].to_numpy().reshape(-1, SIDE, SIDE)
        return dict(zip(found["face_id"].to_list(), pictures, strict=True))

    def _kept(self, known: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
        remove_leftovers(self._path.parent)
        known = pl.concat([known, made]).sort("face_id")
        write_parquet(self._path, known, {"version": _VERSION})
        return known


def face_picture(photo: NDArray[np.uint8], kps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Grey picture (SIDE, SIDE) of the face with landmarks (5, 2), px of the photo (h, w, 3), BGR, aligned by them."""
    import cv2

    scale = SIDE / alignment.SIDE
    matrix = alignment.similarity_transforms(kps[None])[0] * scale
    matrix[:, 2] += (scale - 1) / 2  # the middle stays the middle, so that a mirrored face lies where it should
    shrunk = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    corners = cv2.invertAffineTransform(matrix) @ np.array([[0, SIDE, 0, SIDE], [0, 0, SIDE, SIDE], [1, 1, 1, 1]])
    margin, most = 2 / shrunk, np.array(photo.shape[1::-1]) - 1
    left, top = np.clip(corners.min(axis=1) - margin, 0, most).astype(int).tolist()
    right, bottom = np.clip(corners.max(axis=1) + margin, 0, most).astype(int).tolist()
    region = cv2.cvtColor(np.ascontiguousarray(photo[top : bottom + 1, left : right + 1]), cv2.COLOR_BGR2GRAY)
    if shrunk < 1:
        region = cv2.GaussianBlur(region, (0, 0), 0.5 / shrunk)
    matrix[:, 2] += matrix[:, :2] @ (left, top)
    return np.asarray(cv2.warpAffine(region, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)

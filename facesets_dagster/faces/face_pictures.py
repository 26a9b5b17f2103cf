"""Small grey pictures of aligned faces, made once and kept: `cache/face_pictures/<model_id>.parquet`.

They tell copies of a photo from other photos of the same moment (`identities.looks`). Made of a photo where that is in
doubt only. The cache may be deleted; a run that needs the pictures makes them again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding import alignment
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.photo_loader import LoadPhoto, photo_loader
from facesets_dagster.files.kept_tables import read_kept
from facesets_dagster.files.writing import remove_leftovers, write_parquet
from facesets_dagster.threads import in_threads

SIDE = 26
"""Side of a picture, px."""
_VERSION = "1"
"""Raised when the same pixels would give another picture."""
PICTURE_SCHEMA = pl.Schema({"face_id": pl.String(), "picture": pl.Array(pl.UInt8, SIDE * SIDE)})

Picture = NDArray[np.uint8]
"""(SIDE, SIDE), grey."""


class KeptPictures:
    """The pictures of one model's faces: read once, written once by a run that made some."""

    def __init__(self, cache_dir: Path, model_id: str) -> None:
        self._path = cache_dir / "face_pictures" / f"{model_id}.parquet"
        self._made: dict[str, Picture] = {}

    @cached_property
    def _known(self) -> dict[str, Picture]:
        kept = read_kept(self._path, PICTURE_SCHEMA, version=_VERSION)
        return dict(zip(kept["face_id"].to_list(), kept["picture"].to_numpy().reshape(-1, SIDE, SIDE), strict=True))

    def find(self, face_ids: Iterable[str]) -> dict[str, Picture]:
        """face_id -> (SIDE, SIDE) of those that are kept."""
        return {face_id: self._known[face_id] for face_id in face_ids if face_id in self._known}

    def add(self, made: Mapping[str, Picture]) -> None:
        """Takes new ones in; they are on disk after `write`."""
        self._known.update(made)
        self._made.update(made)

    def write(self) -> None:
        """Keeps what was added, beside what other runs have kept meanwhile."""
        if not self._made:
            return
        remove_leftovers(self._path.parent)
        kept = read_kept(self._path, PICTURE_SCHEMA, version=_VERSION)
        rows = [(face_id, picture.ravel().tolist()) for face_id, picture in self._made.items()]
        made = pl.DataFrame(rows, schema=PICTURE_SCHEMA, orient="row")
        every = pl.concat([kept, made]).unique("face_id", keep="last").sort("face_id")
        write_parquet(self._path, every, {"version": _VERSION})
        self._made.clear()


@dataclass(frozen=True)
class PictureSource:
    """Where the pictures of one run are made of and kept."""

    folders: Mapping[str, Path]
    """Bucket -> where its photos lie."""
    max_pixels: int
    kept: KeptPictures

    def of(self, faces: pl.DataFrame) -> "FacePictures":
        """Of the faces of a face table."""
        return FacePictures(faces, photo_loader(self.folders, faces, self.max_pixels), self.kept)


class FacePictures:
    """Pictures of the faces of a face table, by face_id."""

    def __init__(self, faces: pl.DataFrame, load_photo: LoadPhoto, kept: KeptPictures) -> None:
        """`faces`: rows of the face table; `load_photo` is called for what is not kept, from several threads."""
        self._faces, self._load_photo, self._kept = faces, load_photo, kept

    def __call__(self, face_ids: Sequence[str], /) -> dict[str, Picture]:
        """face_id -> (SIDE, SIDE); a face whose photo cannot be read now is left out."""
        found = self._kept.find(face_ids)
        missing = [face_id for face_id in face_ids if face_id not in found]
        if missing:
            wanted = self._faces.filter(pl.col("face_id").is_in(missing)).sort("sha256", "face_id")
            of_photos = wanted.select("sha256", "face_id", "kps").partition_by("sha256", maintain_order=True)
            made = {face_id: picture for photo in in_threads(self._made, of_photos) for face_id, picture in photo}
            self._kept.add(made)
            found.update(made)
        return found

    def _made(self, of_photo: pl.DataFrame) -> list[tuple[str, Picture]]:
        try:
            photo = self._load_photo(of_photo["sha256"][0])
        except PhotoError:
            return []
        faces = of_photo.select("face_id", "kps").iter_rows()
        return [(face_id, face_picture(photo, np.asarray(kps, np.float64))) for face_id, kps in faces]


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

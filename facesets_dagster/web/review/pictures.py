"""Small pictures of faces, many in one answer: kept ones at once, others made as long as there is time.

A face is named by its face_id, or by `@faceset_001` for the face that stands for a person. No path comes from a client.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.analysis.reviewed_faces import best_face
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.photo_loader import LoadPhoto, photo_loader
from facesets_dagster.faces.thumbnails import ThumbnailStore, cut_out, webp_of
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import lost_members
from facesets_dagster.settings import Settings
from facesets_dagster.web.pages import folders_of

SIZES = (128, 256)
"""px."""
MOST_AT_ONCE = 200
_PHOTO_PX = 1600
_AT_ONCE = threading.BoundedSemaphore(2)
"""Photos are decoded whole, some 100 MB each."""
_COLUMNS = ("bucket", "sha256", "path", "aliases", "turn", "bbox")


@dataclass(frozen=True)
class Batch:
    """An answer to many names."""

    found: Mapping[str, bytes]
    """Name -> WebP."""
    later: Sequence[str]
    """Names to ask for again: there was no time."""

    def packed(self) -> bytes:
        """Four bytes with the length of a JSON object, big-endian; the object; the pictures one after the other."""
        sizes = [[name, len(webp)] for name, webp in self.found.items()]
        head = json.dumps({"pictures": sizes, "later": list(self.later)}, separators=(",", ":")).encode()
        return b"".join([len(head).to_bytes(4, "big"), head, *self.found.values()])


@dataclass(frozen=True)
class FacePictures:
    """Makes and keeps pictures of one home."""

    settings: Settings

    @cached_property
    def home(self) -> Home:
        """The home."""
        return Home.of(self.settings)

    def batch(self, view: Reviewed, library: Library, names: Sequence[str], px: int, seconds: float) -> Batch:
        """The pictures of these names. One whose photo is gone, or that nobody knows, is in neither list."""
        faces = {name: self._face(view, library, name) for name in names[:MOST_AT_ONCE]}
        wanted = {face for face in faces.values() if face is not None}
        store = ThumbnailStore(self.settings.cache_dir)
        found, later = store.find(wanted, px), set[str]()
        missing = wanted - found.keys()
        if missing:
            made, later = self._made(library, missing, px, time.monotonic() + seconds)
            store.keep(made, px)
            found.update(made)
        pictures = {name: found[face] for name, face in faces.items() if face in found}
        return Batch(pictures, [name for name, face in faces.items() if face in later])

    def photo(self, library: Library, face_id: str) -> bytes | None:
        """The whole photo of a face as WebP, upright; None for an unknown face. Raises `PhotoError`."""
        rows = self._rows(library, {face_id})
        if not len(rows):
            return None
        with _AT_ONCE:
            pixels = self._loader(rows)(rows["sha256"][0])
            return webp_of(Image.fromarray(np.ascontiguousarray(pixels[..., ::-1])), _PHOTO_PX)

    def _face(self, view: Reviewed, library: Library, name: str) -> str | None:
        return best_face(library, view, name[1:]) if name.startswith("@") else name

    def _made(
        self, library: Library, face_ids: set[str], px: int, deadline: float
    ) -> tuple[dict[str, bytes], set[str]]:
        rows = self._rows(library, face_ids)
        load, made, later = self._loader(rows), dict[str, bytes](), set[str]()
        for (sha256,), of_photo in rows.sort("sha256").group_by("sha256", maintain_order=True):
            if made and time.monotonic() > deadline:
                later.update(of_photo["face_id"])
                continue
            faces = dict(of_photo.select("face_id", "bbox").iter_rows())
            with _AT_ONCE:
                made.update(_of_photo(str(sha256), faces, px, load))
        lost = face_ids - made.keys() - later
        return {**made, **self._exported(library, lost, px)}, later

    def _rows(self, library: Library, face_ids: set[str]) -> pl.DataFrame:
        """Rows of the face table of these faces, of those that are known."""
        buckets: dict[str, set[str]] = {}
        for face_id, bucket in library.registry.buckets_of(face_ids).items():
            buckets.setdefault(bucket, set()).add(face_id)
        found = []
        for bucket, ids in buckets.items():
            rows = self.home.cached(bucket).columns("faces", *_COLUMNS)
            found.append(rows.filter(pl.col("face_id").is_in(list(ids))).select("face_id", *_COLUMNS))
            lost = lost_members(library, bucket, library.snapshot().members_of(bucket), rows["face_id"])
            if lost is not None:
                found.append(lost.filter(pl.col("face_id").is_in(list(ids))).select("face_id", *_COLUMNS))
        empty = pl.DataFrame(schema=dict.fromkeys(("face_id", *_COLUMNS), pl.String))
        return pl.concat(found).unique("face_id", keep="first") if found else empty

    def _loader(self, rows: pl.DataFrame) -> LoadPhoto:
        return photo_loader(folders_of(self.settings), rows.cast({"turn": pl.Int16}), int(PhotoConfig().max_pixels))

    def _exported(self, library: Library, face_ids: set[str], px: int) -> dict[str, bytes]:
        """Of faces whose photo is gone: the picture that was exported, where there is one."""
        if not face_ids:
            return {}
        owners = library.snapshot().rows_of_faces(face_ids)["name"].unique().sort().to_list()
        files = library.published_faces(owners)
        return {face: _of_file(files[face], px) for face in sorted(face_ids & files.keys()) if files[face].is_file()}


def _of_photo(sha256: str, faces: Mapping[str, Sequence[float]], px: int, load: LoadPhoto) -> dict[str, bytes]:
    try:
        photo = load(sha256)
    except PhotoError:  # gone or damaged now: the faces have no picture
        return {}
    return {face: webp_of(cut_out(photo, np.asarray(bbox, np.float64)), px) for face, bbox in faces.items()}


def _of_file(path: Path, px: int) -> bytes:
    with Image.open(path) as picture:
        return webp_of(picture.convert("RGB"), px)

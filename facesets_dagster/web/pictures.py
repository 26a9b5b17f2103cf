"""Small pictures for the pages beside the UI, made when a browser asks for them.

    <photo or PNG>?small                       the whole picture, upright, in a format that browsers draw
    <faceset>/members/<face_id>.jpg            a member that is not exported, cut out of its photo

What cannot be read is drawn as a grey tile with the reason, so that a page has no broken pictures.
"""

import threading
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import polars as pl
from starlette.responses import Response

from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.library.member_table import read_members
from facesets_dagster.photos.workers.decoders import use_limits
from facesets_dagster.photos.workers.limits import PhotoLimits
from facesets_dagster.reports.faceset_page import PICTURE_OF_MEMBER
from facesets_dagster.reports.thumbnails import of_faces, of_photo
from facesets_dagster.settings import Settings
from facesets_dagster.web.pages import folders_of

_AT_ONCE = threading.BoundedSemaphore(2)
"""Photos are decoded whole, some 100 MB each."""


class Pictures:
    """Makes small pictures of one home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._max_pixels = int(PhotoConfig().max_pixels)
        use_limits(PhotoLimits.of(settings.photo_memory_mb, settings.photo_file_mb, settings.photo_seconds))

    def answer(self, path: Path, known: str | None) -> Response | None:
        """The picture of a file, or of a member of a faceset; None if there is neither.

        `known`: the tag of what the browser has (`If-None-Match`).
        """
        if path.is_file():
            state = path.stat()
            tag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
            if tag == known:
                return Response(status_code=304, headers={"ETag": tag})
            return _picture(lambda: of_photo(path, self._max_pixels), {"ETag": tag})
        if path.parent.name == PICTURE_OF_MEMBER and path.suffix == ".jpg":
            row = _member(path.parent.parent / "members.parquet", path.stem)
            if row is not None:
                return _picture(lambda: self._face(row), {})
        return None

    def _face(self, row: pl.DataFrame) -> bytes:
        load = photo_loader(folders_of(self._settings), row, self._max_pixels)
        found = of_faces(row, load, self._settings.cache_dir)
        if not found:
            raise PhotoError("source_missing", "the photo is gone")
        return next(iter(found.values()))


def _member(table: Path, face_id: str) -> pl.DataFrame | None:
    if not table.is_file():
        return None
    rows = read_members(table).filter(pl.col("face_id") == face_id)
    return rows if len(rows) else None


def _picture(make: Callable[[], bytes], headers: Mapping[str, str]) -> Response:
    """A JPEG, or a tile that says why there is none."""
    try:
        with _AT_ONCE:
            return Response(make(), media_type="image/jpeg", headers=dict(headers))
    except PhotoError as error:
        return Response(_tile(error.reason.replace("_", " ")), media_type="image/svg+xml")


def _tile(words: str) -> str:
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' width='256' height='256'><rect width='256' height='256' fill='#888'/>"
        "<text x='128' y='134' fill='#fff' font-family='sans-serif' font-size='22' text-anchor='middle'>"
        f"{escape(words)}</text></svg>"
    )

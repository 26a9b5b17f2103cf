"""Pixels of a photo by its content, whatever path still holds it. Used by the crops and by the pictures of reports."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import DecodedPhoto, turned_photo
from facesets_dagster.photos.listing import unescape_path
from facesets_dagster.photos.workers.decoders import photo_decoders

_OF_THE_FILE = ("unreadable_file", "changing")
"""Reasons that another file of the same bytes may not have."""


class _Last(threading.local):
    """The photo that a thread loaded last."""

    sha256 = ""
    photo: DecodedPhoto | None = None


LoadPhoto = Callable[[str], NDArray[np.uint8]]
"""sha256 of a content -> BGR pixels (h, w, 3), upright, turned as on record. Raises `PhotoError` if unreadable."""


class PhotoLoader:
    """Photos by content; raises `PhotoError` for one that cannot be read, and keeps the last of each thread.

    A path whose bytes are others by now is passed over.
    """

    def __init__(self, paths: Mapping[str, Sequence[Path]], turns: Mapping[str, int], max_pixels: int) -> None:
        """`paths`: sha256 -> where the content may lie; `turns`: sha256 -> degrees clockwise, of those not upright."""
        self._paths = paths
        self._turns = turns
        self._max_pixels = max_pixels
        self._last = _Last()

    def __call__(self, sha256: str, /) -> NDArray[np.uint8]:
        """Pixels (h, w, 3), BGR, upright, turned."""
        return self._load(sha256).image

    def undecoded(self, sha256: str, /) -> NDArray[np.bool_] | None:
        """(h, w), True where the photo could not be decoded; None if that is nowhere."""
        return self._load(sha256).undecoded

    def _load(self, sha256: str) -> DecodedPhoto:
        last = self._last
        if last.photo is not None and last.sha256 == sha256:
            return last.photo
        for path in self._paths.get(sha256, ()):
            last.photo = None  # its memory goes before the next one takes its own
            try:
                photo = self._decoded(path, sha256)
            except PhotoError as error:
                if error.reason not in _OF_THE_FILE:
                    raise
                continue  # Gone or unreadable now; another path may hold the same bytes.
            if photo is not None:
                last.sha256, last.photo = sha256, photo
                return photo
        raise PhotoError("source_missing", f"no file of the bucket holds the content {sha256} any more")

    def _decoded(self, path: Path, sha256: str) -> DecodedPhoto | None:
        """None if the file holds other bytes by now."""
        with photo_decoders().photo(path) as photo:
            if photo.sha256 != sha256:
                return None
            return turned_photo(photo.decode(self._max_pixels), self._turns.get(sha256, 0))


def photo_loader(folders: Mapping[str, Path], faces: pl.DataFrame, max_pixels: int) -> PhotoLoader:
    """The photos of these faces.

    `folders`: bucket -> where its photos lie; `faces`: rows with `bucket`, `sha256`, `path`, `aliases` and `turn`. A
    bucket whose folder is not known is passed over.
    """
    turns = dict(faces.filter(pl.col("turn") > 0).select("sha256", "turn").iter_rows())
    paths: dict[str, list[Path]] = {}
    for bucket, sha256, path, aliases in (
        faces.select("bucket", "sha256", "path", "aliases").unique(maintain_order=True).iter_rows()
    ):
        if bucket in folders:
            paths.setdefault(sha256, []).extend(folders[bucket] / unescape_path(name) for name in (path, *aliases))
    return PhotoLoader(paths, turns, max_pixels)

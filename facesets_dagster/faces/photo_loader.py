"""Pixels of a photo by its content, whatever path still holds it. Used by the crops and by the pictures of reports."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.photos.listing import unescape_path


class _Last(threading.local):
    """The photo that a thread loaded last."""

    sha256 = ""
    photo: NDArray[np.uint8] | None = None


LoadPhoto = Callable[[str], NDArray[np.uint8]]
"""sha256 of a content -> BGR pixels (h, w, 3), upright. Raises `PhotoError` if the photo cannot be read."""


def photo_loader(folders: Mapping[str, Path], faces: pl.DataFrame, max_pixels: int) -> LoadPhoto:
    """A function sha256 -> (h, w, 3) BGR, upright; it raises `PhotoError`, and keeps the last photo of each thread.

    `folders`: bucket -> where its photos lie; `faces`: rows with `bucket`, `sha256`, `path` and `aliases`. A path whose
    bytes are others by now is passed over, and so is a bucket whose folder is not known.
    """
    paths: dict[str, list[Path]] = {}
    for bucket, sha256, path, aliases in (
        faces.select("bucket", "sha256", "path", "aliases").unique(maintain_order=True).iter_rows()
    ):
        if bucket in folders:
            paths.setdefault(sha256, []).extend(folders[bucket] / unescape_path(name) for name in (path, *aliases))
    last = _Last()

    def load(sha256: str) -> NDArray[np.uint8]:
        if last.photo is not None and last.sha256 == sha256:
            return last.photo
        for path in paths.get(sha256, ()):
            try:
                data = path.read_bytes()
            except OSError:
                continue  # Gone or unreadable now; another path may hold the same bytes.
            if hashlib.sha256(data).hexdigest() == sha256:
                last.photo = None  # its memory goes before the next one takes its own
                photo = decode_photo(data, max_pixels=max_pixels).image
                last.sha256, last.photo = sha256, photo
                return photo
        raise PhotoError("source_missing", f"no file of the bucket holds the content {sha256} any more")

    return load

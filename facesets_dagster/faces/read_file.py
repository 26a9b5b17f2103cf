"""One file of a bucket: opened, hashed, and its content looked at unless it is known. Called from several threads."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256 as new_sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.faces.read_photo import SeenPhoto, look_at_photo, with_embeddings
from facesets_dagster.photos.file_time import kept_time
from facesets_dagster.photos.formats import HEAD_BYTES, decoder_of_format, format_of
from facesets_dagster.photos.listing import BucketListing, PhotoFile


@dataclass(frozen=True)
class OpenedFile:
    """A file after it was opened: its row, and the photo unless the content was known already."""

    file: dict[str, object]
    photo: SeenPhoto | None = None
    copy_from: Path | None = None
    """The store of another bucket that knows the content."""

    @property
    def aligned(self) -> Sequence[NDArray[np.uint8]]:
        """Of a content that is read now."""
        return self.photo.aligned if self.photo else ()


class FileReader:
    """Implements `pipeline.PhotoWork`: opens files of one listing, each content once."""

    def __init__(
        self,
        listing: BucketListing,
        bucket: str,
        embedder: Callable[[], Embedder],
        known: set[str],
        elsewhere: Mapping[str, Path],
        max_pixels: int,
    ) -> None:
        self._folder = listing.folder
        self._unsure = frozenset(listing.unsure["path"])
        self._bucket = bucket
        self._embedder = embedder
        self._claimed = known
        self._claiming = threading.Lock()
        self._elsewhere = elsewhere
        self._max_pixels = max_pixels

    @property
    def batch(self) -> int:
        """Of the models."""
        return self._embedder().batch

    def open(self, file: PhotoFile) -> OpenedFile:
        """Bytes to aligned faces; what is wrong with the file is in its row, with the photo in its content's."""
        try:
            with open(self._folder / file.os_path, "rb") as stream:
                head = stream.read(HEAD_BYTES) if file.path in self._unsure else b""
                foreign = _why_no_photo(head) if file.path in self._unsure else ""
                data = head if foreign else head + stream.read()
                after = os.fstat(stream.fileno())
        except OSError as error:
            return OpenedFile(_file_row(file, None, "unreadable_file", error.strerror or str(error)))
        same = (after.st_size, kept_time(after.st_mtime_ns)) == (file.size, file.mtime_ns)
        if not same or not (foreign or len(data) == file.size):
            return OpenedFile(_file_row(file, None, "changing", "written to while it was read"))
        if foreign:
            return OpenedFile(_file_row(file, None, "foreign", foreign))
        return self._look(file, data)

    def _look(self, file: PhotoFile, data: bytes) -> OpenedFile:
        digest = new_sha256(data).hexdigest()
        row = _file_row(file, digest, "", "")
        if not self._claim(digest):
            return OpenedFile(row)
        if digest in self._elsewhere:
            return OpenedFile(row, copy_from=self._elsewhere[digest])
        return OpenedFile(row, look_at_photo(data, digest, self._bucket, file.path, self._embedder(), self._max_pixels))

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (n, dim) of aligned faces."""
        return self._embedder().recognise(faces)

    def finish(self, opened: OpenedFile, embeddings: NDArray[np.float32]) -> OpenedFile:
        """The file after recognition; `embeddings` (n, dim) of its faces."""
        return replace(opened, photo=with_embeddings(opened.photo, embeddings)) if opened.photo else opened

    def _claim(self, digest: str) -> bool:
        """True for the one file whose content is to be read; its byte copies only get a row."""
        with self._claiming:
            new = digest not in self._claimed
            self._claimed.add(digest)
            return new


def _why_no_photo(head: bytes) -> str:
    """Why a file whose name says nothing is not read, by its first bytes; empty for one that is."""
    name = format_of(head)
    if name is None:
        return "neither its name nor its content is a photo's"
    decoder = decoder_of_format(name)
    return "" if decoder is None or decoder.installed else decoder.advice


def _file_row(file: PhotoFile, sha256: str | None, status: str, detail: str) -> dict[str, object]:
    return {
        "path": file.path,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "ctime_ns": file.ctime_ns,
        "inode": file.inode,
        "sha256": sha256,
        "status": status,
        "detail": detail,
    }

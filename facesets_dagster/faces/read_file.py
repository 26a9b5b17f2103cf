"""One file of a bucket: opened, hashed, and its content looked at unless it is known. Called from several threads."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.read_photo import SeenPhoto, look_at_photo, unusable_photo, with_embeddings
from facesets_dagster.photos.listing import BucketListing, PhotoFile
from facesets_dagster.photos.workers.decoders import PhotoDecoders
from facesets_dagster.photos.workers.open_photo import OpenPhoto
from facesets_dagster.photos.workers.opened_file import FileState
from facesets_dagster.photos.workers.process_pool import StopSign

_OF_THE_FILE = ("unreadable_file", "changing")
"""Reasons that say nothing of the content."""


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
        decoders: PhotoDecoders,
        max_pixels: int,
    ) -> None:
        self._folder = listing.folder
        self._unsure = frozenset(listing.unsure["path"])
        self._bucket = bucket
        self._embedder = embedder
        self._claimed = known
        self._claiming = threading.Lock()
        self._elsewhere = elsewhere
        self._decoders = decoders
        self._max_pixels = max_pixels
        self._stop = StopSign()

    def stop(self) -> None:
        """Ends what is read and decoded now; the threads that wait for it raise `Stopped`."""
        self._stop.stop()

    @property
    def batch(self) -> int:
        """Of the models."""
        return self._embedder().batch

    def open(self, file: PhotoFile) -> OpenedFile:
        """Bytes to aligned faces; what is wrong with the file is in its row, with the photo in its content's."""
        state, unsure = FileState(file.size, file.mtime_ns, file.inode), file.path in self._unsure
        try:
            with self._decoders.photo(self._folder / file.os_path, state, unsure=unsure, stop=self._stop) as photo:
                if photo.foreign:
                    return OpenedFile(_file_row(file, None, "foreign", photo.foreign))
                return self._look(file, photo)
        except PhotoError as error:
            return OpenedFile(_file_row(file, None, error.reason, error.detail))

    def _look(self, file: PhotoFile, photo: OpenPhoto) -> OpenedFile:
        digest = photo.sha256
        row = _file_row(file, digest, "", "")
        if not self._claim(digest):
            return OpenedFile(row)
        if digest in self._elsewhere:
            return OpenedFile(row, copy_from=self._elsewhere[digest])
        try:
            decoded = photo.decode(self._max_pixels)
        except PhotoError as error:
            if error.reason in _OF_THE_FILE:
                raise
            return OpenedFile(row, unusable_photo(error, digest, self._embedder()))
        return OpenedFile(row, look_at_photo(decoded, digest, self._bucket, file.path, self._embedder()))

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

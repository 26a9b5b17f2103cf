"""One file of a bucket: opened, hashed, and its content looked at unless it is known. Called from several threads."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import BucketError, PhotoError
from facesets_dagster.faces.blocked import NOTHING, Blocked
from facesets_dagster.faces.read_photo import (
    SeenPhoto,
    look_at_photo,
    unusable_photo,
    with_embeddings,
    with_faces,
)
from facesets_dagster.photos.decode import DecodedPhoto
from facesets_dagster.photos.listing import BucketListing, PhotoFile
from facesets_dagster.photos.workers.decoders import PhotoDecoders
from facesets_dagster.photos.workers.open_photo import OpenPhoto
from facesets_dagster.photos.workers.opened_file import FileState
from facesets_dagster.photos.workers.process_pool import StopSign

_OF_THE_FILE = ("unreadable_file", "changing")
"""Reasons that say nothing of the content."""
FORGOTTEN = "forgotten"
"""Status of a file whose bytes are on the block list; no table gets its row."""
_MOST_SILENT = 4
"""Files in a row whose reading took too long: after more of them it is the folder."""


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
        at_once: int,
        blocked: Blocked = NOTHING,
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
        self._blocked = blocked
        self._stop = StopSign()
        self._silent = 0
        self._at_once = threading.BoundedSemaphore(at_once)

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
            with ExitStack() as used:
                with self._at_once:
                    place = self._folder / file.os_path
                    photo = used.enter_context(self._decoders.photo(place, state, unsure=unsure, stop=self._stop))
                    self._note(answered=True)
                    if photo.foreign:
                        return OpenedFile(_file_row(file, None, "foreign", photo.foreign))
                    opened = self._decoded(file, photo)
                return opened if isinstance(opened, OpenedFile) else self._seen(file, photo.sha256, opened)
        except PhotoError as error:
            self._note(answered=error.reason != "too_slow")
            return OpenedFile(_file_row(file, None, error.reason, error.detail))

    def _decoded(self, file: PhotoFile, photo: OpenPhoto) -> OpenedFile | DecodedPhoto | PhotoError:
        """The pixels, or why there are none; the file as it is if its content is known."""
        if self._blocked.has_content(photo.sha256):
            return OpenedFile(_file_row(file, None, FORGOTTEN, ""))
        row = _file_row(file, photo.sha256, "", "")
        if not self._claim(photo.sha256):
            return OpenedFile(row)
        if photo.sha256 in self._elsewhere:
            return OpenedFile(row, copy_from=self._elsewhere[photo.sha256])
        try:
            return photo.decode(self._max_pixels)
        except PhotoError as error:
            if error.reason in _OF_THE_FILE:
                raise
            return error

    def _seen(self, file: PhotoFile, sha256: str, decoded: DecodedPhoto | PhotoError) -> OpenedFile:
        embedder = self._embedder()
        if isinstance(decoded, PhotoError):
            seen = unusable_photo(decoded, sha256, embedder)
        else:
            seen = look_at_photo(decoded, sha256, self._bucket, file.path, embedder)
        return OpenedFile(_file_row(file, sha256, "", ""), seen)

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (n, dim) of aligned faces."""
        return self._embedder().recognise(faces)

    def finish(self, opened: OpenedFile, embeddings: NDArray[np.float32]) -> OpenedFile:
        """The file after recognition; `embeddings` (n, dim) of its faces."""
        if opened.photo is None:
            return opened
        photo = with_embeddings(opened.photo, embeddings)
        if photo.columns:
            ids, model_id = [str(one) for one in photo.columns["face_id"]], self._embedder().pack.model_id
            photo = with_faces(photo, self._blocked.allowed_faces(ids, embeddings, model_id))
        return replace(opened, photo=photo)

    def _note(self, *, answered: bool) -> None:
        """Raises `BucketError` if one file after the other does not answer."""
        with self._claiming:
            self._silent = 0 if answered else self._silent + 1
            silent = self._silent > _MOST_SILENT
        if silent:
            raise BucketError(
                f"{self._folder} does not answer: reading more than {_MOST_SILENT} files in a row took too long. "
                "Expected a folder that can be read. See whether its disk or network share is there, then run the "
                "bucket again. What was read before is kept."
            )

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

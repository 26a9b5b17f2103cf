"""Photos of a run, read and decoded by photo processes: all that a run may ask of a photo file.

    with decoders.photo(path, state) as photo:
        photo.sha256
        decoded = photo.decode(max_pixels)

One set of processes is shared by whatever a run does (`photo_decoders`): the memory that it may take is one number.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesets_dagster.photos.workers.limits import PhotoLimits
from facesets_dagster.photos.workers.memory_budget import MemoryBudget
from facesets_dagster.photos.workers.open_photo import OpenPhoto
from facesets_dagster.photos.workers.opened_file import FileState
from facesets_dagster.photos.workers.process_pool import ProcessPool, StopSign
from facesets_dagster.settings import PHOTO_FILE_MB, PHOTO_SECONDS
from facesets_dagster.threads import cores


class PhotoDecoders:
    """Used by all threads of a run. Nothing is started before the first photo."""

    def __init__(self, limits: PhotoLimits, processes: int) -> None:
        most = limits.processes(processes)
        self.limits = limits
        self._pool = ProcessPool(most)
        self._budget = MemoryBudget(limits.for_large(most))

    @contextmanager
    def photo(
        self, path: Path, state: FileState | None = None, *, unsure: bool = False, stop: StopSign | None = None
    ) -> Iterator[OpenPhoto]:
        """A photo file, read and hashed; what it decodes may be used beyond the block.

        `state`: what a listing says of the file; `unsure`: its first bytes say whether it is a photo; `stop`: ends the
        waiting from another thread. Raises `PhotoError` if it cannot be read, `Stopped`.
        """
        photo = self._opened(path, state, stop)
        try:
            photo.read(unsure=unsure)
            yield photo
        finally:
            photo.close()

    def taken(self, path: Path, state: FileState, max_pixels: int) -> str | None:
        """The text of EXIF `DateTimeOriginal` of a photo file; None if it has none. Raises `PhotoError`."""
        photo = self._opened(path, state, None)
        try:
            return photo.taken(max_pixels)
        finally:
            photo.close()

    def end_idle(self) -> None:
        """Ends the processes that nobody asks."""
        self._pool.end_idle()

    def forget(self) -> None:
        """For a fork of the process that started them."""
        self._pool.forget()

    def _opened(self, path: Path, state: FileState | None, stop: StopSign | None) -> OpenPhoto:
        return OpenPhoto(self._pool, self._budget, self.limits, path, state, stop or StopSign())


class _Shared:
    """The decoders of this process."""

    decoders: PhotoDecoders | None = None
    limits: PhotoLimits | None = None


def use_limits(limits: PhotoLimits) -> None:
    """Sets the limits of this process, by the settings of its home."""
    if _Shared.decoders is not None and _Shared.decoders.limits != limits:
        _Shared.decoders.end_idle()
        _Shared.decoders = None
    _Shared.limits = limits


def photo_decoders() -> PhotoDecoders:
    """The decoders of this process."""
    if _Shared.decoders is None:
        _Shared.decoders = PhotoDecoders(_Shared.limits or PhotoLimits.of(None, PHOTO_FILE_MB, PHOTO_SECONDS), cores())
    return _Shared.decoders


def _forget() -> None:
    if _Shared.decoders is not None:
        _Shared.decoders.forget()
    _Shared.decoders = None


os.register_at_fork(after_in_child=_forget)

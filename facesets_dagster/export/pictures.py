"""PNGs between the crop and the faceset's folder: on disk, so that memory does not grow with what is exported.

Crops are made before the library's lock is taken and written under it, those of all facesets first: ten thousand of
them are 2 GB.
"""

import hashlib
import os
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Picture:
    """A PNG that is read on demand: of a new crop, or of the library."""

    sha256: str
    read: Callable[[], bytes]


class PictureFile:
    """Keeps pictures in an unnamed file, which is gone with this object or its process."""

    def __init__(self, folder: Path) -> None:
        """`folder`: on the disk that is to hold them; made when the first one comes."""
        self._folder = folder
        self._stream: IO[bytes] | None = None
        self._size = 0

    def keep(self, png: bytes) -> Picture:
        """The same picture, from memory; may be read from any thread."""
        if self._stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._stream = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (as long as this object)
            weakref.finalize(self, self._stream.close)
        self._stream.write(png)
        self._stream.flush()
        start, self._size = self._size, self._size + len(png)
        return Picture(hashlib.sha256(png).hexdigest(), partial(self._read, start, len(png)))

    def _read(self, start: int, length: int) -> bytes:
        assert self._stream is not None
        return os.pread(self._stream.fileno(), length, start)


def in_memory(png: bytes) -> Picture:
    """For pictures that are written at once."""
    return Picture(hashlib.sha256(png).hexdigest(), lambda: png)

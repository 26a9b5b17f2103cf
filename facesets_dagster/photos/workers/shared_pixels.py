"""Pixels that two processes see: files without a name, so that nothing is left behind whoever is killed.

Not `multiprocessing.shared_memory`: its segments have names, which a killed run leaves in /dev/shm, and containers
give /dev/shm 64 MB as a rule.
"""

import mmap
import os
import tempfile

import numpy as np
from numpy.typing import NDArray


def new_file() -> int:
    """A file without a name, in memory where the system can; its number."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("photo")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class SharedPixels:
    """One such file, which grows as photos need it."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._map: mmap.mmap | None = None

    @property
    def file(self) -> int:
        """Its number in this process."""
        return self._file

    def array(self, start: int, length: int) -> NDArray[np.uint8]:
        """Bytes of it, grown if it must be. The memory stays as long as an array looks at it."""
        end = start + length
        if os.fstat(self._file).st_size < end:
            os.ftruncate(self._file, end)
        if self._map is None or len(self._map) < end:
            self._map = mmap.mmap(self._file, end)
        return np.frombuffer(self._map, np.uint8, length, start)

    def empty(self) -> None:
        """Gives its memory back to the system; no array may look at it."""
        self._map = None
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Lets go of the file; its memory goes once no array looks at it."""
        self._map = None
        os.close(self._file)

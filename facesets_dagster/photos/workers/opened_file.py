"""A photo file, opened so that it cannot hold up its reader, and compared with what was listed."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.file_time import kept_time


@dataclass(frozen=True)
class FileState:
    """What a listing says of a file."""

    size: int
    mtime_ns: int
    """As `kept_time` gives it."""
    inode: int | None
    """None if it is not to be compared."""


@contextmanager
def opened(path: str, state: FileState | None) -> Iterator[BinaryIO]:
    """The file. A named pipe that has taken its place is not waited for.

    Raises `PhotoError`: `unreadable_file`, or `changing` if it is another file by now.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(number, "rb") as stream:
            _require_same(os.fstat(number), state)
            yield stream
    except OSError as error:
        raise PhotoError("unreadable_file", error.strerror or str(error)) from None


def _require_same(found: os.stat_result, state: FileState | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PhotoError("unreadable_file", "not a regular file")
    if state is not None and state.inode is not None and found.st_ino != state.inode:
        raise PhotoError("changing", "another file took its place after the folder was listed")


def read_whole(stream: BinaryIO, state: FileState | None, most: int, head: bytes = b"") -> bytes:
    """All bytes; `head`: those that were read before.

    Raises `PhotoError`: `too_large` beyond `most` bytes, `changing` if it is not as in `state`.
    """
    size = os.fstat(stream.fileno()).st_size
    if size > most:
        raise PhotoError("too_large", f"{size} bytes, files of at most {most} are read")
    data = head + stream.read(size - len(head) + 1)
    require_unchanged(stream, state)
    if len(data) != size:
        raise PhotoError("changing", "written to while it was read")
    return data


def require_unchanged(stream: BinaryIO, state: FileState | None) -> None:
    """Raises `PhotoError` unless the file is as in `state`."""
    after = os.fstat(stream.fileno())
    if state is not None and (after.st_size, kept_time(after.st_mtime_ns)) != (state.size, state.mtime_ns):
        raise PhotoError("changing", "written to while it was read")

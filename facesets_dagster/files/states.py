"""Proof that files were not touched: size, times and inode of every file, before and after.

No system call lets a program rewrite a file and keep its status-change time, so equal states mean that no byte changed,
without reading one. Used for the library's facesets and for legacy libraries.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

State = tuple[int, int, int, int]
"""Size, mtime_ns, ctime_ns, inode."""


def file_states(paths: Iterable[Path]) -> dict[str, State]:
    """Path -> state of these files and of every file below these folders."""
    found: dict[str, State] = {}
    for top in paths:
        files = [top] if top.is_file() else [Path(parent) / name for parent, _, names in os.walk(top) for name in names]
        for file in files:
            status = os.stat(file, follow_symlinks=False)
            found[str(file)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return found


def state_of(path: Path) -> State | None:
    """State of a file; None if it is absent."""
    return file_states([path]).get(str(path)) if path.exists() else None


class Kept(Generic[T]):
    """What this process has read from files or written into them, valid as long as a file is as it was then.

    Only the last few files are kept: a process serves one home, a test or a benchmark two.
    """

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._values: dict[Path, tuple[State | None, T]] = {}

    def get(self, path: Path) -> T | None:
        """The value of this file; None if the file is another one by now."""
        if path not in self._values or self._values[path][0] != state_of(path):
            return None
        return self._values[path][1]

    def put(self, path: Path, state: State | None, value: T) -> None:
        """Keeps the value of the file in this state."""
        self._values.pop(path, None)
        self._values[path] = state, value
        for oldest in list(self._values)[: -self._most]:
            del self._values[oldest]


def changed_files(before: Mapping[str, State], after: Mapping[str, State]) -> list[str]:
    """Files that were changed, added or removed."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def kept_by_state(function: Callable[[Path], T]) -> Callable[[Path], T]:
    """The function of a file; results are kept while the file's size and time are the same."""

    @lru_cache(maxsize=64)
    def kept(path: Path, size: int, mtime_ns: int) -> T:
        return function(path)

    @wraps(function)
    def looked(path: Path) -> T:
        status = path.stat()
        return kept(path, status.st_size, status.st_mtime_ns)

    return looked

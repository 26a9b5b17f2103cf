"""Edges on disk: one file per strip of rows, so that an interrupted linkage goes on where it was.

A folder belongs to one set of rows, threshold and tile size, named by their digest. It is removed when the linkage
has ended; what an abandoned one left is removed a week later by the next.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from facesets_dagster.linkage.chain import Edges

_EDGE = np.dtype([("row", "<i4"), ("column", "<i4"), ("similarity", "<f4")])
_ABANDONED_SECONDS = 7 * 86_400.0


class EdgesOnDisk:
    """Strips as files of 12 bytes an edge."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, strip: int) -> bool:
        """Whether a strip is there already."""
        return self._path(strip).is_file()

    def put(self, strip: int, edges: Edges) -> None:
        """Keeps a strip; a file has its name only when it is whole."""
        table = np.empty(len(edges[0]), _EDGE)
        table["row"], table["column"], table["similarity"] = edges
        unfinished = self._path(strip).with_suffix(".part")
        with unfinished.open("wb") as file:
            table.tofile(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path(strip))

    def edges(self) -> Iterator[Edges]:
        """All strips, in order."""
        for path in sorted(self._folder.glob("*.edges")):
            table = np.fromfile(path, _EDGE)
            yield tuple(np.ascontiguousarray(table[name]) for name in ("row", "column", "similarity"))  # type: ignore[misc]

    def _path(self, strip: int) -> Path:
        return self._folder / f"{strip:06d}.edges"


@contextmanager
def edges_on_disk(scratch: Path, digest: str) -> Iterator[EdgesOnDisk]:
    """The folder of a linkage, held by one process at a time; removed on success, left for a restart otherwise."""
    folder = scratch / digest
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(scratch)
    with FileLock(scratch / f"{digest}.lock"):
        folder.mkdir(exist_ok=True)
        yield EdgesOnDisk(folder)
        shutil.rmtree(folder)
    (scratch / f"{digest}.lock").unlink(missing_ok=True)


def _remove_abandoned(scratch: Path) -> None:
    """Removes what has not been touched for long and nobody holds: the clock may have been set forward."""
    for name in {path.name.removesuffix(".lock") for path in scratch.iterdir()}:
        folder, lock = scratch / name, FileLock(scratch / f"{name}.lock")
        left = [path for path in (folder, Path(lock.lock_file), *folder.glob("*")) if path.exists()]
        if time.time() - max((path.stat().st_mtime for path in left), default=0.0) > _ABANDONED_SECONDS:
            with suppress(Timeout), lock.acquire(timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)

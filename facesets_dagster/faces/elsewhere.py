"""Which contents other buckets have read with the same model, so that the same bytes are looked at once.

A process that brings up a thousand small buckets asks a thousand times: what a bucket's cache holds is read again only
if its files changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl

State = tuple[str, int, int, int]
"""A file that holds digests: path, inode, size, mtime_ns."""


class Elsewhere(Mapping[str, Path]):
    """Content digest -> folder of the first cache that knows it."""

    def __init__(self, folders: Sequence[Path], load: Callable[[Path], pl.DataFrame]) -> None:
        """`load` gives the column `sha256` of the contents that the cache in a folder holds."""
        self._digests = [(folder, _digests(_states(folder), _Load(folder, load))) for folder in folders]

    def __getitem__(self, digest: str) -> Path:
        for folder, digests in self._digests:
            if digest in digests:
                return folder
        raise KeyError(digest)

    def __iter__(self) -> Iterator[str]:
        return iter(frozenset().union(*(digests for _, digests in self._digests)))

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Load:
    """How to load, which does not count when two questions are compared."""

    def __init__(self, folder: Path, load: Callable[[Path], pl.DataFrame]) -> None:
        self.folder, self.load = folder, load

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Load) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)


@lru_cache(maxsize=4096)
def _digests(states: tuple[State, ...], load: _Load) -> frozenset[str]:
    return frozenset(load.load(load.folder)["sha256"]) if states else frozenset()


def _states(folder: Path) -> tuple[State, ...]:
    found = []
    for path in (folder / "contents.parquet", *sorted((folder / "parts").glob("*.contents.parquet"))):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)

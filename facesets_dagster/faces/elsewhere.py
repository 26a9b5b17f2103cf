"""Which contents other buckets have read with the same model, so that the same bytes are looked at once.

A process that runs a thousand small buckets looks a thousand times: what a bucket's cache holds is read again only
if its files changed, and of each bucket the last state is kept, however many there are (some 110 bytes a photo).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

State = tuple[str, int, int, int]
"""A file that holds digests: path, inode, size, mtime_ns."""

_KNOWN: dict[Path, tuple[tuple[State, ...], frozenset[bytes]]] = {}
"""Folder -> the files that were read, and their digests (32 bytes each)."""


class Elsewhere(Mapping[str, Path]):
    """Content digest -> folder of the first cache that knows it."""

    def __init__(self, folders: Sequence[Path], load: Callable[[Path], pl.DataFrame]) -> None:
        """`load` gives the column `sha256` of the contents that the cache in a folder holds."""
        self._digests = [(folder, _digests(folder, load)) for folder in folders]

    def __getitem__(self, digest: str) -> Path:
        wanted = bytes.fromhex(digest)
        for folder, digests in self._digests:
            if wanted in digests:
                return folder
        raise KeyError(digest)

    def __iter__(self) -> Iterator[str]:
        return (digest.hex() for digest in frozenset().union(*(digests for _, digests in self._digests)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _digests(folder: Path, load: Callable[[Path], pl.DataFrame]) -> frozenset[bytes]:
    states = _states(folder)
    if folder not in _KNOWN or _KNOWN[folder][0] != states:
        _KNOWN[folder] = states, frozenset(map(bytes.fromhex, load(folder)["sha256"]) if states else ())
    return _KNOWN[folder][1]


def _states(folder: Path) -> tuple[State, ...]:
    found = []
    for path in (folder / "contents.parquet", *sorted((folder / "parts").glob("*.contents.parquet"))):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)

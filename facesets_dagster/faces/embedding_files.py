"""Embeddings of faces as rows that stay on disk: parts of them are read when needed.

For work that goes over a bucket once, block by block (`identities.coverage`). Who needs all of them at a time asks the
store for its tables.
"""

from collections.abc import Sequence
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

_STRETCH = 65_536
"""Rows read at a time, 134 MB of 512 numbers each. Fewer would have Polars unpack a row group more often."""


class EmbeddingFiles:
    """`RowBlocks` (n, dim), raw, of the faces of a table that `FaceStore.open_faces` gave."""

    def __init__(self, table: pl.DataFrame, files: Sequence[IO[bytes]], kept: NDArray[np.float32]) -> None:
        """`table`: `file` and `row` of each face; `kept` (m, dim): rows of the file after the last, which is none."""
        self._file, self._row = table["file"].to_numpy(), table["row"].to_numpy().astype(np.int64)
        self._files, self._kept = files, kept
        self.shape = (len(table), kept.shape[1])
        self._top, self._stretch = 0, np.empty((0, kept.shape[1]), np.float32)

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, block: slice, /) -> NDArray[np.float32]:
        top, end, _ = block.indices(len(self))
        if top < self._top or end > self._top + len(self._stretch):
            self._stretch = np.empty((0, self.shape[1]), np.float32)  # not two at a time
            self._top, self._stretch = top, self._read(slice(top, max(end, min(top + _STRETCH, len(self)))))
        return self._stretch[top - self._top : end - self._top]

    def _read(self, block: slice) -> NDArray[np.float32]:
        file, row = self._file[block], self._row[block]
        found = np.empty((len(row), self.shape[1]), np.float32)
        for number, stream in enumerate(self._files):
            mine = np.flatnonzero(file == number)
            mine = mine[np.argsort(row[mine], kind="stable")]
            while len(mine):
                first = row[mine[0]]
                chosen, mine = np.split(mine, [np.searchsorted(row[mine], first + _STRETCH)])
                found[chosen] = _rows_of(stream, int(first), int(row[chosen[-1]]))[row[chosen] - first]
        kept = file == len(self._files)
        found[kept] = self._kept[row[kept]]
        return found


def _rows_of(stream: IO[bytes], first: int, last: int) -> NDArray[np.float32]:
    stream.seek(0)
    rows = pl.scan_parquet(stream).select("embedding").slice(first, last - first + 1).collect()
    return rows["embedding"].to_numpy()

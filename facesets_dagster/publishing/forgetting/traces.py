"""What would still point to what is forgotten, and whether a text, a table or a file holds any of it.

Digests and face_ids are found anywhere. Names of people and buckets are found as whole words, paths as they are
written; each also as JSON, HTML and addresses spell it.
"""

import html
import io
import json
import re
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import polars as pl

from facesets_dagster.photos.bucket_key import bucket_title, file_name

_HEX = re.compile(rb"[0-9a-f]{16,64}(?:-[0-9]{4}-[0-9]{4})?")
_ZIPPED = (".fsz", ".zip", ".npz")
_DIGITS = 16


@dataclass(frozen=True)
class Traces:
    """Of one plan, as far as nothing that stays has the same."""

    photos: frozenset[str] = frozenset()
    """sha256 of photos."""
    faces: frozenset[str] = frozenset()
    """face_ids."""
    words: frozenset[str] = frozenset()
    """Names of people, and keys and names of buckets."""
    paths: frozenset[str] = frozenset()

    @cached_property
    def prefixes(self) -> frozenset[str]:
        """What face_ids of the photos begin with."""
        return frozenset(sha256[:_DIGITS] for sha256 in self.photos)

    def in_bytes(self, data: bytes) -> bool:
        """Whether a text, or what is stored as it is in a binary file, holds a trace."""
        return self._has_digest(data) or any(one.search(data) for one in self._words) or self.has_path(data)

    def has_path(self, data: bytes) -> bool:
        """Whether one of the paths is in it."""
        return any(path in data for path in self._paths)

    def in_text(self, text: str) -> bool:
        """The same of a text."""
        return self.in_bytes(text.encode("utf-8", "surrogatepass"))

    def in_file(self, path: Path) -> bool:
        """The same of a file; Parquet and zip files are read."""
        if path.suffix == ".parquet":
            return self.in_table(pl.read_parquet(path))
        if path.suffix in _ZIPPED and zipfile.is_zipfile(path):
            return self.in_bytes(path.read_bytes()) or self._in_zip(path)
        return self.in_bytes(path.read_bytes())

    def in_table(self, frame: pl.DataFrame) -> bool:
        """Whether any row has a trace."""
        return bool(self.rows(frame).any())

    def rows(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows of a table hold a trace (booleans)."""
        masks = [self._mask(frame[name], name) for name in frame.columns]
        found = pl.Series([False] * len(frame), dtype=pl.Boolean)
        for mask in masks:
            found = found | mask
        return found

    def _mask(self, column: pl.Series, name: str) -> pl.Series:
        if isinstance(column.dtype, pl.List) and column.dtype.inner == pl.String:
            return pl.Series([any(map(self._is_trace, row or ())) for row in column.to_list()], dtype=pl.Boolean)
        if column.dtype != pl.String:
            return pl.Series([False] * len(column), dtype=pl.Boolean)
        begins = column.str.slice(0, _DIGITS).is_in(list(self.prefixes))
        exact = column.is_in([*self.faces, *self.words, *(self.paths if name == "path" else ())])
        return (begins | exact).fill_null(False)

    def _is_trace(self, text: str | None) -> bool:
        return text is not None and (text[:_DIGITS] in self.prefixes or text in self.faces or text in self.words)

    def _has_digest(self, data: bytes) -> bool:
        if not (self.prefixes or self.faces):
            return False
        for match in _HEX.finditer(data):
            text = match[0].decode()
            if text[:_DIGITS] in self.prefixes or text in self.faces:
                return True
        return False

    def _in_zip(self, path: Path) -> bool:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            for name in archive.namelist():
                data = archive.read(name)
                # numpy stores text with four bytes a letter
                if self.in_bytes(data) or self._has_digest(data.replace(b"\0\0\0", b"")):
                    return True
        return False

    @cached_property
    def _words(self) -> tuple[re.Pattern[bytes], ...]:
        return tuple(
            re.compile(rb"(?<![\w%])" + re.escape(one) + rb"(?![\w%])") for one in sorted(spellings(self.words))
        )

    @cached_property
    def _paths(self) -> tuple[bytes, ...]:
        return tuple(sorted(spellings(self.paths)))


def spellings(texts: Iterable[str]) -> set[bytes]:
    """Texts as UTF-8, and as JSON, HTML and addresses spell them."""
    found: set[bytes] = set()
    for text in texts:
        ways = (
            text,
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            html.escape(text),
            quote(text),
        )
        found |= {way.encode("utf-8", "surrogatepass") for way in ways}
    return found - {b""}


def words_of(labels: Iterable[str], buckets: Collection[str]) -> frozenset[str]:
    """Names of people, keys of buckets, and these as people call them."""
    return frozenset({*labels, *buckets, *map(bucket_title, buckets), *map(file_name, buckets)})

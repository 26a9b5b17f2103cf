"""The photos of legacy faces in our face caches: found by path, by bytes, or read now.

A photo inside a bucket is read into that bucket's cache, as a scan that was ended early would have; any other into the
cache of the pseudo bucket `LEGACY`. Photos are read with the models of the run, so that all faces are of one model.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.legacy.sources import BucketFolders, BucketPath, SourcePaths
from facesets_dagster.photos.bucket_key import LEGACY

WITHOUT_PHOTO = "legacy cache"
"""`format` of a content of which only a legacy cache knows the faces."""
ReadFiles = Callable[[str, list[str]], None]
"""(bucket, escaped paths in it): reads these files into the bucket's cache."""


@dataclass(frozen=True)
class Content:
    """Bytes whose faces are in the cache of a bucket."""

    bucket: str
    sha256: str


@dataclass(frozen=True)
class Photo:
    """What became of the photo that a legacy path names."""

    way: str | None
    """`cache` (of a bucket, read before), `bytes` (of a bucket, under another path), `source` (read by this import)."""
    content: Content | None
    problem: str | None
    """`source_missing`, or the reason why the photo could not be read."""


@dataclass(frozen=True)
class CachedFaces:
    """The faces of one content, sorted by face_id."""

    face_ids: list[str]
    bbox: NDArray[np.float32]
    """(n, 4)."""
    embeddings: NDArray[np.float32]
    """(n, dim), raw."""


class Caches:
    """What our face caches hold. A bucket is read at its first use and kept."""

    def __init__(self, store_of: Callable[[str], FaceStore], buckets: Sequence[str]) -> None:
        self._store_of = store_of
        self._buckets = sorted(bucket for bucket in buckets if bucket != LEGACY)
        self._digests: dict[str, dict[str, str]] = {}
        self._status: dict[str, dict[str, str]] = {}
        self._faces: dict[str, dict[str, CachedFaces]] = {}
        self._homes: dict[str, str] | None = None

    def digest_at(self, location: BucketPath) -> str | None:
        """Content of the file at this path, as the bucket's last scan found it."""
        if location.bucket not in self._digests:
            self._digests[location.bucket] = _digests(self._store_of(location.bucket).read())
        return self._digests[location.bucket].get(location.path)

    def bucket_with(self, sha256: str) -> str | None:
        """The first bucket, in key order, whose cache has read these bytes."""
        if self._homes is None:
            self._homes = {}
            for bucket in self._buckets:
                for digest in self._statuses(bucket):
                    self._homes.setdefault(digest, bucket)
        return self._homes.get(sha256)

    def status(self, content: Content) -> str:
        """`faces`, `noface`, or why it was not used."""
        return self._statuses(content.bucket).get(content.sha256, "unreadable_file")

    def faces(self, content: Content, dim: int) -> CachedFaces:
        """Faces of a content; none for a photo without."""
        if content.bucket not in self._faces:
            rows = self._store_of(content.bucket).read().faces.sort("face_id")
            parts = rows.partition_by("sha256", as_dict=True, maintain_order=True)
            self._faces[content.bucket] = {str(key[0]): _cached(part, dim) for key, part in parts.items()}
        empty = CachedFaces([], np.zeros((0, 4), np.float32), np.zeros((0, dim), np.float32))
        return self._faces[content.bucket].get(content.sha256, empty)

    def forget(self, bucket: str) -> None:
        """Its cache was added to."""
        for kept in (self._digests, self._status, self._faces):
            kept.pop(bucket, None)
        self._homes = None

    def _statuses(self, bucket: str) -> dict[str, str]:
        if bucket not in self._status:
            contents = self._store_of(bucket).read().contents
            self._status[bucket] = dict(contents.select("sha256", "status").iter_rows())
        return self._status[bucket]


class PhotoFinder:
    """Finds photos by their legacy paths."""

    def __init__(self, paths: SourcePaths, folders: BucketFolders, caches: Caches, digests: Mapping[str, str]) -> None:
        """`digests`: legacy path -> sha256 of its bytes, where a legacy cache says so."""
        self._paths = paths
        self._folders = folders
        self._caches = caches
        self._digests = digests
        self._located: dict[str, list[tuple[str, BucketPath]]] = {}
        self._read_here: set[BucketPath] = set()

    def read(self, sources: Iterable[str], read_files: ReadFiles) -> None:
        """Reads the photos that are on disk and in no cache; those of the pseudo bucket are always looked at."""
        wanted: dict[str, set[str]] = {LEGACY: set()}
        for source in sorted(set(sources)):
            if self._in_bucket(source) is None:
                location = self._on_disk(source)
                if location is not None:
                    wanted.setdefault(location.bucket, set()).add(location.path)
                    self._read_here.add(location)
        for bucket, files in sorted(wanted.items()):
            read_files(bucket, sorted(files))
            self._caches.forget(bucket)

    def photo(self, source: str) -> Photo:
        """Where the photo's faces are; nothing is read."""
        location = self._in_bucket(source)
        if location is not None:
            return self._found("source" if location in self._read_here else "cache", location)
        digest = self._caches.digest_at(legacy) if (legacy := self._legacy_path(source)) else self._said(source)
        home = self._caches.bucket_with(digest) if digest is not None else None
        if digest is not None and home is not None:
            return Photo("bytes", Content(home, digest), None)
        if legacy is not None:
            return self._found("source", legacy)
        on_disk = self._on_disk(source)
        return Photo(None, None, "source_missing" if on_disk is None else "not_read")

    def _found(self, way: str, location: BucketPath) -> Photo:
        digest = self._caches.digest_at(location)
        assert digest is not None  # the caller looked
        content = Content(location.bucket, digest)
        status = self._caches.status(content)
        return Photo(way, content, None) if status in ("faces", "noface") else Photo(None, None, status)

    def _candidates(self, source: str) -> list[tuple[str, BucketPath]]:
        if source not in self._located:
            paths = [path for path in self._paths.candidates(source) if os.path.isabs(path) and "\0" not in path]
            self._located[source] = [(path, self._folders.locate(path)) for path in paths]
        return self._located[source]

    def _in_bucket(self, source: str) -> BucketPath | None:
        """The first of its paths in a bucket that the bucket's cache knows."""
        located = (location for _, location in self._candidates(source) if location.bucket != LEGACY)
        return next((location for location in located if self._caches.digest_at(location) is not None), None)

    def _legacy_path(self, source: str) -> BucketPath | None:
        located = (location for _, location in self._candidates(source) if location.bucket == LEGACY)
        return next((location for location in located if self._caches.digest_at(location) is not None), None)

    def _on_disk(self, source: str) -> BucketPath | None:
        """The first of its paths where a file is, those in buckets first."""
        there = [location for path, location in self._candidates(source) if os.path.isfile(path)]
        return min(there, key=lambda location: location.bucket == LEGACY, default=None)

    def _said(self, source: str) -> str | None:
        return self._digests.get(source) or self._digests.get(self._paths.key(source))


def _digests(tables: CacheTables) -> dict[str, str]:
    """Path -> content; photos that are gone by now are known by their faces' path."""
    real = tables.contents.filter(pl.col("format").fill_null("") != WITHOUT_PHOTO)["sha256"]
    gone = tables.faces.filter(pl.col("source_missing") & pl.col("sha256").is_in(real.implode()))
    files = tables.files.drop_nulls("sha256")
    return dict([*gone.select("path", "sha256").iter_rows(), *files.select("path", "sha256").iter_rows()])


def _cached(rows: pl.DataFrame, dim: int) -> CachedFaces:
    return CachedFaces(
        rows["face_id"].to_list(),
        rows["bbox"].to_numpy().astype(np.float32).reshape(-1, 4),
        rows["embedding"].to_numpy().astype(np.float32).reshape(-1, dim),
    )

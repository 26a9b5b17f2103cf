"""The incremental scan of a bucket: what is new is read once, what is known is not opened.

Stat first, hash when in doubt: a file whose size, times and inode equal its row is not opened; one whose bytes are
known (in this bucket or another) is hashed but not decoded. Worker threads each carry a photo from bytes to rows
(the models release the GIL); rows are flushed every `FLUSH_FILES` files or `FLUSH_SECONDS`, and whatever was finished
is flushed when the run is interrupted.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256 as new_sha256
from pathlib import Path

import polars as pl

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import DiskSpaceError
from facesets_dagster.faces.read_photo import PhotoResult, read_photo
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, READ, face_schema
from facesets_dagster.faces.store import CacheTables, FaceStore, ScanCounts
from facesets_dagster.faces.tables import assemble, split_known
from facesets_dagster.photos.listing import BucketListing, PhotoFile

FLUSH_FILES = 50
FLUSH_SECONDS = 10.0
_BYTES_PER_FACE = 6_000
_RESERVE_BYTES = 200_000_000

Report = Callable[[int, int, int, int], None]
"""Called after every file with (files done, files to do, faces found so far, files that failed so far)."""


@dataclass(frozen=True)
class FileOutcome:
    """A file that was opened: its row, and the photo's result unless the content was known already."""

    file: dict[str, object]
    result: PhotoResult | None
    copy_from: Path | None = None


@dataclass(frozen=True)
class ScanResult:
    """The tables after the scan and what the scan did."""

    tables: CacheTables
    opened: int
    decoded: int
    copied: int
    seconds: float


@dataclass
class _Pending:
    """Finished work that is not on disk yet."""

    files: list[dict[str, object]] = field(default_factory=list)
    results: list[PhotoResult] = field(default_factory=list)
    copies: dict[Path, list[str]] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)


def scan_bucket(
    listing: BucketListing,
    bucket: str,
    store: FaceStore,
    embedder: Callable[[], Embedder],
    *,
    dim: int,
    workers: int,
    max_pixels: int,
    retry_failed: bool,
    report: Report,
) -> ScanResult:
    """Brings the cache of a bucket up to its listing. `embedder` is called only if a photo has to be read."""
    started = time.monotonic()
    read = read_files(
        listing, bucket, store, embedder,
        dim=dim, workers=workers, max_pixels=max_pixels, retry_failed=retry_failed, report=report,
    )  # fmt: skip
    tables = assemble(store.read(), listing.files, listing.foreign, read.known)
    store.compact(tables)
    store.note_folder(listing.digest())
    if read.opened:
        store.note_scan(ScanCounts(len(listing.files) - read.opened, read.opened, read.decoded, read.byte_copies))
    return ScanResult(tables, read.opened, read.decoded, read.copied, time.monotonic() - started)


@dataclass(frozen=True)
class FilesRead:
    """What became of the files of a listing."""

    known: pl.DataFrame
    """Rows (`FILE_SCHEMA`) that were still true."""
    opened: int
    decoded: int
    byte_copies: int
    """Opened, and their bytes were on record."""
    copied: int
    """Of those, known from another bucket."""


def read_files(
    listing: BucketListing,
    bucket: str,
    store: FaceStore,
    embedder: Callable[[], Embedder],
    *,
    dim: int,
    workers: int,
    max_pixels: int,
    retry_failed: bool,
    report: Report,
) -> FilesRead:
    """Reads what is new of these files, which may be some of a bucket's only.

    It leaves the store as a scan that was ended half-way does: the next whole scan goes on from there.
    """
    cached = store.read()
    known, changed = split_known(listing.files, cached.files, cached.contents, retry_failed=retry_failed)
    if changed:
        check_disk_space(store.folder, len(changed) * _BYTES_PER_FACE * 2)
    skip = set(cached.contents["sha256"]) - (set(failed_contents(cached)) if retry_failed else set())
    reader = _Reader(listing, bucket, embedder, skip, store.contents_elsewhere() if changed else {}, max_pixels)
    decoded = copies = copied = faces = failed = 0
    pending = _Pending()
    try:
        for done, outcome in enumerate(_outcomes(reader, changed, workers), start=1):
            pending.files.append(outcome.file)
            if outcome.result is not None:
                pending.results.append(outcome.result)
                decoded += 1
                faces += int(str(outcome.result.content["faces"]))
                failed += outcome.result.content["status"] not in READ
            copies += outcome.result is None and outcome.file["sha256"] is not None
            if outcome.copy_from is not None:
                pending.copies.setdefault(outcome.copy_from, []).append(str(outcome.file["sha256"]))
                copied += 1
            report(done, len(changed), faces, failed)
            if len(pending.files) >= FLUSH_FILES or time.monotonic() - pending.since > FLUSH_SECONDS:
                pending = _flush(store, pending, dim)
    finally:
        _flush(store, pending, dim)
    return FilesRead(known, len(changed), decoded, copies, copied)


def failed_contents(tables: CacheTables) -> list[str]:
    """Digests of contents that could not be used."""
    return tables.contents.filter(~pl.col("status").is_in(READ))["sha256"].to_list()


def check_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raises `DiskSpaceError` before the work begins if `needed_bytes` and a reserve do not fit."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + _RESERVE_BYTES:
        raise DiskSpaceError(
            f"{free / 1e6:.0f} MB are free under {folder}, about {(needed_bytes + _RESERVE_BYTES) / 1e6:.0f} MB are "
            "needed. Nothing was begun. Make room or move FACESETS_HOME to a larger disk."
        )


class _Reader:
    """Opens one file and says what is in it; shared by the worker threads."""

    def __init__(
        self,
        listing: BucketListing,
        bucket: str,
        embedder: Callable[[], Embedder],
        known: set[str],
        elsewhere: dict[str, Path],
        max_pixels: int,
    ) -> None:
        self._folder = listing.folder
        self._bucket = bucket
        self._embedder = embedder
        self._claimed = known  # set.add and `in` are atomic; a race costs a second decode, never a wrong row
        self._elsewhere = elsewhere
        self._max_pixels = max_pixels

    def __call__(self, file: PhotoFile) -> FileOutcome:
        path = self._folder / file.os_path
        try:
            with open(path, "rb") as stream:
                data = stream.read()
                after = os.fstat(stream.fileno())
        except OSError as error:
            return FileOutcome(_file_row(file, None, "unreadable_file", error.strerror or str(error)), None)
        if (after.st_size, after.st_mtime_ns) != (file.size, file.mtime_ns) or len(data) != file.size:
            return FileOutcome(_file_row(file, None, "changing", "written to while it was read"), None)
        digest = new_sha256(data).hexdigest()
        row = _file_row(file, digest, "", "")
        if digest in self._claimed:
            return FileOutcome(row, None)
        self._claimed.add(digest)
        if digest in self._elsewhere:
            return FileOutcome(row, None, self._elsewhere[digest])
        result = read_photo(data, digest, self._bucket, file.path, self._embedder(), self._max_pixels)
        return FileOutcome(row, result)


def _outcomes(reader: _Reader, files: list[PhotoFile], workers: int) -> Iterator[FileOutcome]:
    """Outcomes in file order, with at most `2 * workers` photos under way."""
    with ThreadPoolExecutor(workers, thread_name_prefix="photo") as pool:
        waiting: list[Future[FileOutcome]] = []
        try:
            for file in files:
                waiting.append(pool.submit(reader, file))
                if len(waiting) >= 2 * workers:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _flush(store: FaceStore, pending: _Pending, dim: int) -> _Pending:
    if pending.files:
        frames = [result.faces for result in pending.results if result.faces is not None]
        contents = [pl.DataFrame([result.content for result in pending.results], schema=CONTENT_SCHEMA)]
        for folder, digests in pending.copies.items():
            copied = store.copy_from(folder, digests)
            frames.append(copied.faces)
            contents.append(copied.contents)
        faces = pl.concat(frames) if frames else pl.DataFrame(schema=face_schema(dim))
        files = pl.DataFrame(pending.files, schema=FILE_SCHEMA)
        store.append(CacheTables(faces, pl.concat(contents), files))
    return _Pending()


def _file_row(file: PhotoFile, sha256: str | None, status: str, detail: str) -> dict[str, object]:
    return {
        "path": file.path,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "ctime_ns": file.ctime_ns,
        "inode": file.inode,
        "sha256": sha256,
        "status": status,
        "detail": detail,
    }

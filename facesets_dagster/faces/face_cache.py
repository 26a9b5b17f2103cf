"""The incremental scan of a bucket: what is new is read once, what is known is not opened.

Stat first, hash when in doubt: a file whose size, times and inode equal its row is not opened; one whose bytes are
known (in this bucket or another) is hashed but not decoded. Photos are read and decoded by processes of their own
(`photos.workers`); threads share photos and faces (`pipeline`; models release the GIL). Rows are flushed every
`FLUSH_FILES` files or `FLUSH_SECONDS`, and whatever was handed on is flushed when the run is interrupted.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import DiskSpaceError
from facesets_dagster.faces.blocked import NOTHING, Blocked
from facesets_dagster.faces.changes import FileChanges, find_changes
from facesets_dagster.faces.folder_state import state_as_read
from facesets_dagster.faces.pipeline import in_order
from facesets_dagster.faces.read_file import FORGOTTEN, FileReader
from facesets_dagster.faces.read_photo import SeenPhoto, face_rows
from facesets_dagster.faces.refresh import refresh_cache
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, READ, settled_contents
from facesets_dagster.faces.store import CacheTables, FaceStore, ScanCounts
from facesets_dagster.faces.thumbnails import THUMBNAIL_PX, ThumbnailStore
from facesets_dagster.photos.listing import BucketListing, PhotoFile
from facesets_dagster.photos.workers.decoders import PhotoDecoders, photo_decoders
from facesets_dagster.threads import one_opencv_thread

FLUSH_FILES = 50
FLUSH_SECONDS = 10.0
_BYTES_PER_FACE = 9_000
"""Rows of the tables, and a small picture of 2 to 3 kB."""
_RESERVE_BYTES = 200_000_000

ReportProgress = Callable[[int, int, int, int], None]
"""Called after every file with (files done, files to do, faces found so far, files that failed so far)."""

Say = Callable[[str], None]


def _silent(_: str) -> None:
    """For callers that do not report waiting."""


@dataclass(frozen=True)
class ScanResult:
    """What the scan did, and the way to the tables after it."""

    store: FaceStore
    opened: int
    decoded: int
    copied: int
    forgotten: int
    """Files that the block list keeps out; no table has them."""
    seconds: float

    @cached_property
    def tables(self) -> CacheTables:
        """Read at the first use: the scan of an unchanged bucket does not need the faces."""
        return self.store.read()


@dataclass
class _Pending:
    """Finished work that is not on disk yet."""

    files: list[dict[str, object]] = field(default_factory=list)
    photos: list[SeenPhoto] = field(default_factory=list)
    copies: dict[Path, list[str]] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Reading:
    """How photos are read."""

    embedder: Callable[[], Embedder]
    """Called only if a photo has to be read."""
    workers: int
    """Photos that are read and decoded at once. One thread more works with the models: so nobody waits for a photo."""
    max_pixels: int
    retry_failed: bool
    """Read photos again that could not be used."""
    report: ReportProgress
    say: Say = _silent
    decoders: PhotoDecoders | None = None
    """None = those of this process."""
    blocked: Blocked = NOTHING
    """What was forgotten and is not stored."""


def scan_bucket(listing: BucketListing, store: FaceStore, reading: Reading) -> ScanResult:
    """Brings the cache of a bucket up to its listing.

    One run at a time: of two that come at once the second waits, says so, and finds what the first has read.
    """
    started = time.monotonic()
    with store.alone(reading.say):
        read = read_files(listing, store, reading)
        allowed = listing.without(read.forgotten)
        if not read.nothing_new or store.has_loose_files():
            refresh_cache(store, allowed, read.known)
        store.note_folder(state_as_read(listing, store.columns("files")) if read.opened else listing.digest())
        if read.opened:
            store.note_scan(ScanCounts(len(allowed) - read.opened, read.opened, read.decoded, read.byte_copies))
    seconds = time.monotonic() - started
    return ScanResult(store, read.opened, read.decoded, read.copied, len(read.forgotten), seconds)


@dataclass(frozen=True)
class FilesRead:
    """What became of the files of a listing."""

    known: pl.DataFrame
    """Rows (`FILE_SCHEMA`) that were still true."""
    nothing_new: bool
    """The file table is as the listing."""
    opened: int
    decoded: int
    byte_copies: int
    """Opened, and their bytes were on record."""
    copied: int
    """Of those, known from another bucket."""
    forgotten: tuple[str, ...]
    """Paths that the block list keeps out, opened now or not; sorted."""


def read_files(listing: BucketListing, store: FaceStore, reading: Reading) -> FilesRead:
    """Reads what is new of these files, which may be some of a bucket's only.

    It leaves the store as a scan that was ended half-way does: the next whole scan goes on from there.
    """
    with store.alone(reading.say):
        contents = store.columns("contents", "sha256", "status", "detail", "look")
        allowed = reading.blocked.without_files(store.bucket, listing)
        out = tuple(sorted({*listing.candidates["path"]} - {*allowed.candidates["path"]}))
        changes = find_changes(allowed, store.columns("files"), contents, retry_failed=reading.retry_failed)
        if not changes.to_open:
            return FilesRead(changes.known, changes.none, 0, 0, 0, 0, out)
        check_disk_space(store.folder, len(changes.to_open) * _BYTES_PER_FACE * 2)
        skip = set(settled_contents(contents, retry_failed=reading.retry_failed)["sha256"])
        elsewhere = store.contents_elsewhere()
        reader = FileReader(
            listing,
            store.bucket,
            reading.embedder,
            skip,
            elsewhere,
            reading.decoders or photo_decoders(),
            reading.max_pixels,
            reading.workers,
            reading.blocked,
        )
        return _read(reader, store, changes, reading, out)


def _read(
    reader: FileReader, store: FaceStore, changes: FileChanges, reading: Reading, out: tuple[str, ...]
) -> FilesRead:
    decoded = copies = copied = faces = failed = 0
    pending, changed, forgotten = _Pending(), changes.to_open, list[PhotoFile]()
    with one_opencv_thread(), in_order(reader, changed, reading.workers + 1) as outcomes:
        try:
            for done, (file, outcome) in enumerate(zip(changed, outcomes, strict=True), start=1):
                if outcome.file["status"] == FORGOTTEN:
                    forgotten.append(file)
                    continue
                pending.files.append(outcome.file)
                if outcome.photo is not None:
                    pending.photos.append(outcome.photo)
                    decoded += 1
                    faces += int(str(outcome.photo.content["faces"]))
                    failed += outcome.photo.content["status"] not in READ
                copies += outcome.photo is None and outcome.file["sha256"] is not None
                if outcome.copy_from is not None:
                    pending.copies.setdefault(outcome.copy_from, []).append(str(outcome.file["sha256"]))
                    copied += 1
                reading.report(done, len(changed), faces, failed)
                if len(pending.files) >= FLUSH_FILES or time.monotonic() - pending.since > FLUSH_SECONDS:
                    pending = _flush(store, pending)
        except BaseException:  # A file that hangs must not hold up the end of a run.
            reader.stop()
            raise
        finally:  # Before waiting for the workers: a stopped run may be killed soon.
            _flush(store, pending)
            reading.blocked.note_files(store.bucket, forgotten)
    out = tuple(sorted({*out, *(file.path for file in forgotten)}))
    return FilesRead(changes.known, False, len(changed) - len(forgotten), decoded, copies, copied, out)


def check_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raises `DiskSpaceError` before the work begins if `needed_bytes` and a reserve do not fit."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + _RESERVE_BYTES:
        raise DiskSpaceError(
            f"{free / 1e6:.0f} MB are free under {folder}, about {(needed_bytes + _RESERVE_BYTES) / 1e6:.0f} MB are "
            "needed. Nothing was started. Make room or move FACESETS_HOME to a larger disk."
        )


def _flush(store: FaceStore, pending: _Pending) -> _Pending:
    if pending.files:
        frames = [face_rows(pending.photos, store.dim)]
        contents = [pl.DataFrame([photo.content for photo in pending.photos], schema=CONTENT_SCHEMA)]
        for folder, digests in pending.copies.items():
            copied = store.copy_from(folder, digests)
            frames.append(copied.faces)
            contents.append(copied.contents)
        files = pl.DataFrame(pending.files, schema=FILE_SCHEMA)
        pictures = {face_id: webp for photo in pending.photos for face_id, webp in photo.pictures.items()}
        if pictures:
            ThumbnailStore(store.cache_dir).keep(pictures, THUMBNAIL_PX)
        store.append(CacheTables(pl.concat(frames), pl.concat(contents), files))
    return _Pending()

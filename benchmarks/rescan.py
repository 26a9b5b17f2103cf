"""A bucket that is known: what it costs to find that nothing changed, and to find the ten photos that are new.

The peer is what no re-scan can do without: `scandir` and one `stat` for each file. The tree is made up (files of a few
bytes), and so is the cache, with a face of 512 numbers for each photo. Peer and re-scan take turns.
"""

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks.homes import SHARED
from benchmarks.results_file import Row
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import describe_pack, load_embedder
from facesets_dagster.faces.changes import find_changes
from facesets_dagster.faces.scan import ScanResult, scan_bucket
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, face_schema
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.photos.listing import BucketListing, list_bucket

ROUNDS, NEW, PER_FOLDER = 7, 10, 1000


def measure_rescan(pack: str, models_root: Path, files: int) -> list[Row]:
    """Rows for a bucket of so many files."""
    model = describe_pack(pack, models_root=models_root, det_size=640)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "made up"
        make_tree(folder, files)
        store = FaceStore(Path(scratch) / "cache", "made up", model.model_id, model.dim)
        write_cache(store, list_bucket(folder), model.model_id, model.dim)
        return [*_unchanged(folder, store, files), *_ten_more(folder, store, pack, models_root)]


def make_tree(folder: Path, files: int) -> None:
    """Folders of a thousand files each, named as cameras do."""
    for number in range(files):
        place = folder / f"{number // PER_FOLDER:04d}"
        if number % PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"IMG_{number:07d}.jpg").write_bytes(b"%d" % number)


def write_cache(store: FaceStore, listing: BucketListing, model_id: str, dim: int) -> None:
    """The cache as a scan would have left it, one face to a photo."""
    table, count = listing.table, len(listing)
    digests = pl.Series([hashlib.sha256(path.encode()).hexdigest() for path in table["path"]])
    read = {"status": pl.lit("faces"), "detail": pl.lit("")}
    files = table.with_columns(sha256=digests, **read).select(FILE_SCHEMA.names())
    size = {"photo_width": pl.lit(4000), "photo_height": pl.lit(3000), "truncated": pl.lit(False)}
    model = pl.lit(model_id)
    contents = pl.DataFrame({"sha256": digests}).with_columns(
        **read, **size, faces=pl.lit(1), format=pl.lit("JPEG"), model_id=model
    )
    numbers = {name: pl.lit(0.5) for name in ("det_score", "face_short", "blur", "frontality", "symmetry")}
    faces = files.select(
        "sha256", "path", face_id=pl.col("sha256").str.head(16) + "-00000000", bucket=pl.lit("made up")
    )
    faces = faces.with_columns(**numbers, **size, source_missing=pl.lit(False), model_id=model, aliases=pl.lit([]))
    rng = np.random.default_rng(0)
    arrays = {"bbox": (count, 4), "kps": (count, 5, 2), "embedding": (count, dim)}
    faces = faces.with_columns(
        **{name: pl.Series(rng.standard_normal(shape, np.float32)) for name, shape in arrays.items()}
    )
    schema = face_schema(dim)
    store.compact(
        CacheTables(
            faces.select(schema.names()).cast(dict(schema)).sort("face_id"),
            contents.select(CONTENT_SCHEMA.names()).cast(dict(CONTENT_SCHEMA)).sort("sha256"),
            files.cast(dict(FILE_SCHEMA)),
        )
    )
    store.note_folder(listing.digest())


def _unchanged(folder: Path, store: FaceStore, files: int) -> list[Row]:
    alone, listed, decided, scanned = [], [], [], []
    for _ in range(ROUNDS + 1):  # the first warms up
        alone.append(_seconds(lambda: _stat_alone(folder)))
        listed.append(_seconds(lambda: list_bucket(folder).digest()))
        decided.append(_seconds(lambda: _decide(folder, store)))
        scanned.append(_seconds(lambda: _scan(folder, store, _no_model)))
    peer = "scandir and stat alone"
    own = [files / median(seconds[1:]) for seconds in (alone, listed, decided, scanned)]
    ratios = [median(a / b for a, b in zip(alone[1:], other[1:], strict=True)) for other in (listed, decided, scanned)]
    peak = _peak_mb(folder, store)
    return [
        Row(f"{files:,} files, listing and digest", own[1], "files/s", peer, own[0], ratios[0]),
        Row(f"{files:,} files, listing and what is new", own[2], "files/s", peer, own[0], ratios[1],
            target=">= 200,000 files/s", met=own[2] >= 200_000),
        Row(f"{files:,} files, the whole scan", own[3], "files/s", peer, own[0], ratios[2],
            target=">= 200,000 files/s", met=own[3] >= 200_000,
            note="median of 7, warm; the ratio is the median of each round's"),
        Row(f"{files:,} files, peak memory of the whole scan", peak, "MB", note="with all imports"),
    ]  # fmt: skip


def _ten_more(folder: Path, store: FaceStore, pack: str, models_root: Path) -> list[Row]:
    """Ten photos added to the bucket, against the same ten in a bucket of their own."""
    embedder = load_embedder(
        pack, models_root=models_root, providers=("CPUExecutionProvider",), det_size=640, threads=1, recogniser_batch=0
    )
    photos = sorted(path for path in (SHARED / "data" / "labelled").rglob("*") if path.is_file())
    alone, added, idle = [], [], []
    for number in range(ROUNDS):
        ten = photos[number * NEW : (number + 1) * NEW]
        with tempfile.TemporaryDirectory() as scratch:
            own = Path(scratch) / "bucket"
            _link(own, ten)
            other = FaceStore(Path(scratch) / "cache", "bucket", embedder.pack.model_id, embedder.pack.dim)
            _link(folder / f"new {number}", ten)
            added.append(_seconds(lambda: _scan(folder, store, lambda: embedder), opened=NEW))
            alone.append(_seconds(lambda own=own, other=other: _scan(own, other, lambda: embedder), opened=NEW))  # type: ignore[misc]
        idle.append(_seconds(lambda: _scan(folder, store, _no_model)))
    extra = [more - nothing for more, nothing in zip(added, idle, strict=True)]
    ratio = median(a / b for a, b in zip(extra, alone, strict=True))
    return [
        Row("ten photos more, beyond the unchanged bucket's time", median(extra), "s", "ten photos in a bucket alone",
            median(alone), ratio, target="ratio <= 2", met=ratio <= 2,
            note="opens ten files and writes a part of ten rows and the table of files"),
    ]  # fmt: skip


def _link(folder: Path, photos: list[Path]) -> None:
    folder.mkdir(parents=True)
    for photo in photos:
        (folder / photo.name).symlink_to(photo)


def _decide(folder: Path, store: FaceStore) -> None:
    contents = store.columns("contents", "sha256", "status")
    assert find_changes(list_bucket(folder), store.columns("files"), contents, retry_failed=False).none


def _scan(folder: Path, store: FaceStore, embedder: Callable[[], Embedder]) -> ScanResult:
    return scan_bucket(
        list_bucket(folder), "made up", store, embedder,
        dim=512, workers=os.cpu_count() or 1, max_pixels=10**9, retry_failed=False, report=lambda *_: None,
    )  # fmt: skip


def _no_model() -> Embedder:
    raise AssertionError("an unchanged bucket was read")


def _stat_alone(folder: Path) -> None:
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat()


def _seconds(work: Callable[[], object], opened: int | None = None) -> float:
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    if opened is not None:
        assert isinstance(result, ScanResult)
        assert result.opened == opened
    return seconds


def _peak_mb(folder: Path, store: FaceStore) -> float:
    """Of a process that does nothing else."""
    root, bucket, model_id = store.folder.parents[2], store.folder.parent.name, store.folder.name
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.rescan", str(folder), str(root), bucket, model_id],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(told.stdout)


if __name__ == "__main__":
    _scan(Path(sys.argv[1]), FaceStore(Path(sys.argv[2]), sys.argv[3], sys.argv[4], 512), _no_model)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

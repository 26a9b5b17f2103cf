"""A bucket that is known: what it costs to find that nothing changed, and to find the ten photos that are new.

The peer is what no re-scan can do without: `scandir` and one `stat` for each file. The tree is made up (files of a few
bytes), and so is the cache, with a face of 512 numbers for each photo. Peer and re-scan take turns, and so do two
buckets where one shows that the other's time is linear.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks.peak_memory import peak_mb
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import describe_pack, load_embedder
from facesets_dagster.faces.changes import find_changes
from facesets_dagster.faces.face_cache import Reading, ScanResult, scan_bucket
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, face_schema
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.photos.listing import BucketListing, list_bucket
from facesets_dagster.threads import cores
from testing.measurements.row import Row
from testing.paths import SHARED

ROUNDS, NEW, PER_FOLDER = 7, 10, 1000
NEW_ROUNDS = 18
"""More than the parts that the cache lets lie before it writes its tables again (16)."""
LINEAR = 1.2


@dataclass
class KnownBucket:
    """A made-up bucket, its cache, and the seconds that were measured in it, by what was done."""

    folder: Path
    store: FaceStore
    files: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, what: str, work: Callable[[], object]) -> None:
        """Adds a measurement."""
        self.seconds.setdefault(what, []).append(_seconds(work))

    def median(self, what: str) -> float:
        """Of what was measured."""
        return median(self.seconds[what])


def measure_rescan(pack: str, models_root: Path, files: int, beside: int = 0) -> list[Row]:
    """Rows for a bucket of so many files; `beside`: a smaller one in the same run, to show that time is linear."""
    with tempfile.TemporaryDirectory() as scratch:
        buckets = [_made_up(Path(scratch), pack, models_root, count) for count in (files, beside) if count]
        _measure_unchanged(buckets)
        rows = [*_unchanged(buckets[0]), *(_linear(buckets[0], other) for other in buckets[1:])]
        return [*rows, *_ten_more(buckets[0], pack, models_root)]


def _made_up(scratch: Path, pack: str, models_root: Path, files: int) -> KnownBucket:
    model = describe_pack(pack, models_root=models_root, det_size=640)
    folder = scratch / f"{files}" / "made up"
    make_tree(folder, files)
    store = FaceStore(scratch / f"cache {files}", "made up", model.model_id, model.dim)
    write_cache(store, list_bucket(folder), model.model_id, model.dim)
    return KnownBucket(folder, store, files)


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


def _measure_unchanged(buckets: list[KnownBucket]) -> None:
    """By turns; the first round warms up."""
    for number in range(ROUNDS + 1):
        for bucket in buckets:
            folder, store = bucket.folder, bucket.store
            bucket.measure("alone", lambda folder=folder: _stat_alone(folder))  # type: ignore[misc]
            bucket.measure("listed", lambda folder=folder: list_bucket(folder).digest())  # type: ignore[misc]
            bucket.measure("decided", lambda folder=folder, store=store: _decide(folder, store))  # type: ignore[misc]
            bucket.measure("scanned", lambda folder=folder, store=store: _scan(folder, store, _no_model))  # type: ignore[misc]
            if not number:
                bucket.seconds.clear()


def _unchanged(bucket: KnownBucket) -> list[Row]:
    files, alone = f"{bucket.files:,} files", bucket.files / bucket.median("alone")

    def row(name: str, what: str, target: int, note: str = "") -> Row:
        rate = bucket.files / bucket.median(what)
        ratio = median(a / b for a, b in zip(bucket.seconds["alone"], bucket.seconds[what], strict=True))
        goal = f">= {target:,} files/s" if target else ""
        return Row(f"{files}, {name}", rate, "files/s", "scandir and stat alone", alone, ratio, target=goal,
                   met=rate >= target if target else None, note=note)  # fmt: skip

    return [
        row("listing and digest", "listed", 0),
        row("listing and what is new", "decided", 200_000),
        row("the whole scan", "scanned", 200_000, f"median of {ROUNDS}, warm; the ratio is the median of each round's"),
        Row(f"{files}, the whole scan", bucket.median("scanned"), "s", note=f"at worst {_worst(bucket):.3f}"),
        Row(f"{files}, peak memory of the whole scan", _peak_mb(bucket), "MB", note="with all imports"),
    ]


def _worst(bucket: KnownBucket) -> float:
    return max(bucket.seconds["scanned"])


def _linear(bucket: KnownBucket, other: KnownBucket) -> Row:
    """Time per file against that in a smaller bucket, round by round."""
    rounds = zip(bucket.seconds["scanned"], other.seconds["scanned"], strict=True)
    ratio = median((large / bucket.files) / (small / other.files) for large, small in rounds)
    return Row(
        f"{bucket.files:,} files, the whole scan", 1e6 * bucket.median("scanned") / bucket.files, "s per million files",
        f"{other.files:,} files, by turns", 1e6 * other.median("scanned") / other.files, ratio,
        target=f"ratio <= {LINEAR}", met=ratio <= LINEAR, note="1 is linear; the median of each round's ratio",
    )  # fmt: skip


def _ten_more(bucket: KnownBucket, pack: str, models_root: Path) -> list[Row]:
    """Ten photos added to the bucket again and again, each against the same ten in a bucket of their own."""
    embedder = load_embedder(
        pack, models_root=models_root, providers=("CPUExecutionProvider",), det_size=640, threads=1, recogniser_batch=0
    )
    photos = sorted(path for path in (SHARED / "data" / "labelled").rglob("*") if path.is_file())
    alone, added, idle = [], [], []
    for number in range(NEW_ROUNDS):
        ten = photos[number * NEW : (number + 1) * NEW]
        with tempfile.TemporaryDirectory() as scratch:
            own = Path(scratch) / "bucket"
            _link(own, ten)
            other = FaceStore(Path(scratch) / "cache", "bucket", embedder.pack.model_id, embedder.pack.dim)
            _link(bucket.folder / f"new {number}", ten)
            added.append(_seconds(lambda: _scan(bucket.folder, bucket.store, lambda: embedder), opened=NEW))
            alone.append(_seconds(lambda own=own, other=other: _scan(own, other, lambda: embedder), opened=NEW))  # type: ignore[misc]
        idle.append(_seconds(lambda: _scan(bucket.folder, bucket.store, _no_model)))
    extra = [more - nothing for more, nothing in zip(added, idle, strict=True)]
    ratios = [a / b for a, b in zip(extra, alone, strict=True)]
    ratio, worst, nothing = median(ratios), max(range(NEW_ROUNDS), key=extra.__getitem__), bucket.median("scanned")
    return [
        Row("ten photos more, beyond the unchanged bucket's time", median(extra), "s", "ten photos in a bucket alone",
            median(alone), ratio, target="ratio <= 2", met=ratio <= 2,
            note=f"median of {NEW_ROUNDS} tens, one after the other; opens ten files and writes a part of ten rows"),
        Row("the same, the slowest ten", extra[worst], "s", "ten photos in a bucket alone", alone[worst],
            ratios[worst], note=f"number {worst + 1}; at number 17 the tables are written again"),
        Row("unchanged again between them, parts in the cache", median(idle), "s", "without parts", nothing,
            median(idle) / nothing, note=f"at worst {max(idle):.3f}"),
    ]  # fmt: skip


def _link(folder: Path, photos: list[Path]) -> None:
    folder.mkdir(parents=True)
    for photo in photos:
        (folder / photo.name).symlink_to(photo)


def _decide(folder: Path, store: FaceStore) -> None:
    contents = store.columns("contents", "sha256", "status", "detail", "look")
    assert find_changes(list_bucket(folder), store.columns("files"), contents, retry_failed=False).none


def _scan(folder: Path, store: FaceStore, embedder: Callable[[], Embedder]) -> ScanResult:
    return scan_bucket(
        list_bucket(folder),
        store,
        Reading(embedder, workers=cores(), max_pixels=10**9, retry_failed=False, report=lambda *_: None),
    )


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


def _peak_mb(bucket: KnownBucket) -> float:
    """Of a process that does nothing else."""
    folder, store = bucket.folder, bucket.store
    root, name, model_id = store.folder.parents[2], store.folder.parent.name, store.folder.name
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.rescan", str(folder), str(root), name, model_id],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(told.stdout)


if __name__ == "__main__":
    _scan(Path(sys.argv[1]), FaceStore(Path(sys.argv[2]), sys.argv[3], sys.argv[4], 512), _no_model)
    print(peak_mb())

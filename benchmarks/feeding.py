"""How fast photos reach a model: photo processes against the threads that decoded before them, in one run.

The model is free: it finds one face in the middle of each photo and knows it at once. So what is measured is listing,
reading, hashing, decoding and handing on. The same with a real pack shows what a scan pays. The peer decodes in the
thread that asks, as the platform did before: without any limit, in the memory of the run.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.embedding_photos import photo_sets
from facesets_dagster.embedding.embedder import Detections, Embedder, ModelPack
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.faces.face_cache import Reading, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.photos.decode import DecodedPhoto, decode_photo
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.photos.workers.decoders import photo_decoders
from testing.measurements.row import Row

ROUNDS = 5
MAX_PIXELS = 300_000_000
_FACE_PX = 112
_SLOWER = 1.03


class FreeModel(Embedder):
    """A face in the middle of every photo, for nothing."""

    pack = ModelPack("free", "f4eef4eef4eef4ee", 640, 128, "none", "none")
    providers = ("CPUExecutionProvider",)
    batch = 1

    def at(self, det_size: int) -> Embedder:
        return self

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        middle = np.array(image.shape[1::-1], np.float32) / 2
        bbox = np.concatenate([middle - _FACE_PX / 2, middle + _FACE_PX / 2])[None]
        eyes = np.array([[-20, -20], [20, -20], [0, 0], [-15, 20], [15, 20]], np.float32)
        return Detections(bbox, (middle + eyes)[None], np.array([0.9], np.float32))

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        return [np.zeros((1,), np.uint8)] * len(kps)

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.ones((len(faces), self.pack.dim), np.float32)


@dataclass(frozen=True)
class _InThread:
    """A photo, read and decoded by the thread that asks."""

    data: bytes
    sha256: str
    foreign: str = ""

    def decode(self, max_pixels: int) -> DecodedPhoto:
        return decode_photo(self.data, max_pixels=max_pixels)


class ThreadDecoders:
    """The peer: what `PhotoDecoders` does, without processes."""

    @contextmanager
    def photo(self, path: Path, *_: object, **__: object) -> Iterator[_InThread]:
        data = path.read_bytes()
        yield _InThread(data, sha256(data).hexdigest())


@dataclass(frozen=True)
class Pass:
    """One scan of a photo set."""

    seconds: float
    busy: float
    """Processor time of the run and of its photo processes, seconds."""


def measure_feeding(pack: str, models_root: Path) -> list[Row]:
    """All photo sets: with a free model by one worker and two, with a real pack by two."""
    real = load_embedder(
        pack, models_root=models_root, providers=("CPUExecutionProvider",), det_size=640, threads=1, recogniser_batch=0
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in photo_sets(Path(scratch) / "photos").items():
            for model, workers, title in (
                (FreeModel(), 1, "free model"),
                (FreeModel(), 2, "free model"),
                (real, 2, pack),
            ):
                rows += _rows(f"{name}: {Path(title).name}, {workers} workers", folder, model, workers)
    return [*rows, _start_row()]


def _rows(name: str, folder: Path, model: Embedder, workers: int) -> list[Row]:
    photos = len(list(folder.iterdir()))
    peer: Any = ThreadDecoders()
    ways: dict[str, Any] = {"processes": photo_decoders(), "threads": peer}
    passes: dict[str, list[Pass]] = {way: [] for way in ways}
    for way in ways:
        _scan(folder, model, workers, ways[way])  # files are in memory, processes are started
    for number in range(ROUNDS):
        for way in ways if number % 2 else reversed(ways):
            passes[way].append(_measured(lambda way=way: _scan(folder, model, workers, ways[way])))  # type: ignore[misc]
    pairs = list(zip(passes["processes"], passes["threads"], strict=True))
    ratio = statistics.median(ours.seconds / theirs.seconds for ours, theirs in pairs)
    work = statistics.median(ours.busy / theirs.busy for ours, theirs in pairs)
    ours, theirs = (photos / statistics.median(one.seconds for one in passes[way]) for way in ways)
    note = f"processor time {work:.3f} of the threads'; {photos} photos, median of {ROUNDS} interleaved rounds"
    return [Row(name, ours, "photos/s", "threads", theirs, ratio, f"time <= {_SLOWER}", ratio <= _SLOWER, note)]


def _scan(folder: Path, model: Embedder, workers: int, decoders: Any) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        store = FaceStore(Path(scratch), "bucket", model.pack.model_id, model.pack.dim)
        reading = Reading(lambda: model, workers, MAX_PIXELS, False, report=lambda *_: None, decoders=decoders)
        scan_bucket(list_bucket(folder), store, reading)


def _measured(run: Callable[[], None]) -> Pass:
    before, started = _busy(), time.perf_counter()
    run()
    return Pass(time.perf_counter() - started, _busy() - before)


def _busy() -> float:
    times = [process.cpu_times() for process in psutil.Process().children()]
    return time.process_time() + sum(one.user + one.system for one in times)


def _start_row() -> Row:
    """Seconds until the first photo comes out of a process that has to be started."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "a.png"
        path.write_bytes(_small_png())
        for _ in range(ROUNDS):
            photo_decoders().end_idle()
            started = time.perf_counter()
            with photo_decoders().photo(path) as photo:
                photo.decode(MAX_PIXELS)
            found.append(time.perf_counter() - started)
    return Row("start of a photo process, to its first photo", statistics.median(found), "s")


def _small_png() -> bytes:
    import cv2

    return cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes()

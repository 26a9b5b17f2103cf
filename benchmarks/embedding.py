"""Photos to face rows: our scan of a folder against the loop that everyone writes, in one run, interleaved.

    for f in files: app.get(cv2.imread(f))

The peer is insightface's `FaceAnalysis` on the same pack, detecting at 640 px: as it comes, with only detection and
recognition loaded (where the pack has other models), and tuned as a careful user would (threads of ONNX Runtime that do
not spin). The limit is what decoder and models alone take: the same sessions,
called by bare threads. `embedding_photos` makes the photo sets, `embedding_accuracy` compares what was found.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from benchmarks.embedding_accuracy import compare
from benchmarks.embedding_photos import photo_sets
from benchmarks.embedding_stages import shares
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.embedding.precision import FP16
from facesets_dagster.faces.face_cache import Reading, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.threads import cores
from testing.measurements.row import Row

CPU = ("CPUExecutionProvider",)
ROUNDS = 5
MAX_PIXELS = 300_000_000
PEERS = {"untuned": 2.4, "two models": 2.4, "tuned": 1.7}
"""Peer -> how many times faster we are to be."""
CORES = cores()


@dataclass(frozen=True)
class Timing:
    """One pass over a photo set."""

    seconds: float
    busy: float
    """Processor time of the process, seconds."""

    @property
    def cores_used(self) -> float:
        """Share of what the cores had to give."""
        return self.busy / self.seconds / CORES


def measure_embedding(pack: str, models_root: Path) -> list[Row]:
    """All photo sets on the CPU with an insightface pack; `embedding_gpu` is for GPUs."""
    embedder = load_embedder(pack, models_root=models_root, providers=CPU, det_size=640, threads=1, recogniser_batch=0)
    two_models: dict[str, Any] = {"allowed_modules": ["detection", "recognition"]}
    peers = {"untuned": face_analysis(pack), "tuned": face_analysis(pack, sess_options=_careful(), **two_models)}
    if len(peers["untuned"].models) > len(peers["tuned"].models):
        peers["two models"] = face_analysis(pack, **two_models)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in photo_sets(Path(scratch) / "photos").items():
            rows += _measure_set(name, folder, embedder, peers)
    rows += compare(embedder, peers["untuned"])
    half = load_embedder(
        pack, models_root=models_root, providers=CPU, det_size=640, threads=1, recogniser_batch=0, precision=FP16
    )
    rows += compare(half, peers["untuned"], FP16)
    return rows


def face_analysis(pack: str, providers: Sequence[str] = CPU, **options: Any) -> Any:
    """insightface's `FaceAnalysis`, at one scale of 640 px as its README calls it."""
    from insightface.app import FaceAnalysis

    app = FaceAnalysis(pack, providers=list(providers), **options)
    app.prepare(ctx_id=0, det_size=(640, 640))
    return app


def _careful() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _measure_set(name: str, folder: Path, embedder: Embedder, peers: dict[str, Any]) -> list[Row]:
    files = sorted(folder.iterdir())
    passes: dict[str, Callable[[], None]] = {
        "ours": lambda: scan(folder, embedder, CORES),
        "one worker": lambda: scan(folder, embedder, 1),
        "limit": lambda: decoder_and_models_alone(files, embedder, CORES, faces),
        **{peer: lambda app=app: naive_loop(files, app) for peer, app in peers.items()},  # type: ignore[misc]
    }
    faces = {path: len(embedder.detect(decoded(path))) for path in files}
    times: dict[str, list[Timing]] = {which: [] for which in passes}
    for round_number in range(ROUNDS):
        for which in passes if round_number % 2 else reversed(passes):
            times[which].append(timed(passes[which]))
    return [
        *_speed_rows(name, len(files), sum(faces.values()), times),
        *shares(name, files, embedder),
        _memory_row(name, folder, embedder),
    ]


def _speed_rows(name: str, photos: int, faces: int, times: dict[str, list[Timing]]) -> list[Row]:
    ours = _median(times["ours"])
    rate = f"{photos} photos, {faces} faces, {CORES} cores, median of {ROUNDS} interleaved rounds"
    rows = []
    for peer in PEERS:
        if peer not in times:
            rows.append(Row(f"{name}: photos a second", None, "1/s", f"FaceAnalysis, {peer}",
                            note="the pack has no third model: see untuned"))  # fmt: skip
            continue
        ratio, target = _ratio(times[peer], times["ours"]), PEERS[peer]
        rows.append(Row(f"{name}: photos a second", photos / ours, "1/s", f"FaceAnalysis, {peer}",
                        photos / _median(times[peer]), ratio, f">= {target}", ratio >= target, rate))  # fmt: skip
    busy = {which: statistics.median(timing.busy for timing in timings) for which, timings in times.items()}
    limit = _ratio(times["limit"], times["ours"])
    used = statistics.median(timing.cores_used for timing in times["ours"])
    scaling = _ratio(times["one worker"], times["ours"])
    return [
        *rows,
        Row(f"{name}: of what decoder and models alone allow", limit, "share", "bare threads",
            photos / _median(times["limit"]), limit, ">= 0.9", limit >= 0.9),
        Row(f"{name}: processor time a photo", 1000 * busy["ours"] / photos, "ms", "FaceAnalysis, tuned",
            1000 * busy["tuned"] / photos, busy["tuned"] / busy["ours"],
            note=f"nearly the same on a busy machine; decoder and models alone {1000 * busy['limit'] / photos:.1f} ms"),
        Row(f"{name}: cores in use", used, "share", target=">= 0.95", met=used >= 0.95,
            note="processor time by wall time and cores; too low while others use the machine"),
        Row(f"{name}: {CORES} workers against one", scaling, "times", note=f"of at most {CORES}"),
    ]  # fmt: skip


def _median(timings: Sequence[Timing]) -> float:
    return statistics.median(timing.seconds for timing in timings)


def _ratio(slow: Sequence[Timing], fast: Sequence[Timing]) -> float:
    """Median over rounds: what disturbs a round disturbs both."""
    return statistics.median(one.seconds / other.seconds for one, other in zip(slow, fast, strict=True))


def timed(run: Callable[[], None]) -> Timing:
    """One pass; processor time is that of the process and of its photo processes."""
    started, busy = time.perf_counter(), _busy()
    run()
    return Timing(time.perf_counter() - started, _busy() - busy)


def _busy() -> float:
    times = [process.cpu_times() for process in psutil.Process().children()]
    return time.process_time() + sum(one.user + one.system for one in times)


def decoded(path: Path) -> Any:
    """The photo (h, w, 3), BGR, upright."""
    return decode_photo(path.read_bytes(), max_pixels=MAX_PIXELS).image


def naive_loop(files: Iterable[Path], app: Any) -> None:
    """The peer."""
    for path in files:
        app.get(cv2.imread(str(path)))


def scan(folder: Path, embedder: Embedder, workers: int) -> None:
    """The whole of what `face_cache` does with a new bucket: list, hash, detect, measure, embed, write tables."""
    with tempfile.TemporaryDirectory() as scratch:
        store = FaceStore(Path(scratch), "bucket", embedder.pack.model_id, embedder.pack.dim)
        reading = Reading(lambda: embedder, workers, MAX_PIXELS, retry_failed=False, report=lambda *_: None)
        scan_bucket(list_bucket(folder), store, reading)


def decoder_and_models_alone(files: Sequence[Path], embedder: Embedder, workers: int, faces: dict[Path, int]) -> None:
    """Each photo decoded, the detector run once, the recogniser once a face; on inputs that are there already."""
    detector, recogniser = embedder._detector.session, embedder._recogniser.session  # type: ignore[attr-defined]
    photo = {detector.get_inputs()[0].name: np.zeros((1, 3, 640, 640), np.float32)}
    face = {recogniser.get_inputs()[0].name: np.zeros((1, 3, 112, 112), np.float32)}
    waiting = iter(files)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                path = next(waiting, None)
            if path is None:
                return
            decoded(path)
            detector.run(None, photo)
            for _ in range(faces[path]):
                recogniser.run(None, face)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory_row(name: str, folder: Path, embedder: Embedder) -> Row:
    """Peak of the process while it scans, beyond what it held before."""
    process = psutil.Process()
    before, peak, done = process.memory_info().rss, 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    scan(folder, embedder, CORES)
    done.set()
    watcher.join()
    return Row(
        f"{name}: memory at its peak", max(peak - before, 0) / 1e6, "MB", note="above what the process held before"
    )

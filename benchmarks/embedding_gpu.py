"""Photos to face rows on an NVIDIA GPU: our scan against the loop that everyone writes, on the same GPU.

    for f in files: app.get(cv2.imread(f))

As `embedding`, with more photos and fewer rounds; without a GPU one row says so. How busy the GPU is, is what the
driver counts: the share of time in which at least one kernel ran.
"""

import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedding import CORES, CPU, Timing, face_analysis, naive_loop, scan, timed
from benchmarks.embedding_accuracy import compare
from benchmarks.embedding_photos import Counts, photo_sets
from benchmarks.gpu import gpu_name
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.embedding.precision import FP16, FP32
from testing.measurements.row import Row

GPU = ("CUDAExecutionProvider", "CPUExecutionProvider")
ROUNDS = 2
COUNTS = Counts(small=1498, mixed=64, large=32)
TARGET, BUSY = 15, 0.8


def measure_embedding_gpu(pack: str, models_root: Path) -> list[Row]:
    """All photo sets in fp32, the accuracy of fp32 and fp16 against the peer on the CPU."""
    if gpu_name() is None:
        return [Row("against the peer on the same GPU", None, "", target=f">= {TARGET}", note="there is no GPU here")]

    def ours(precision: str) -> Embedder:
        return load_embedder(
            pack, models_root=models_root, providers=GPU, det_size=640, threads=1, recogniser_batch=0,
            precision=precision,
        )  # fmt: skip

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        sets = photo_sets(Path(scratch) / "photos", COUNTS)
        app = face_analysis(pack, providers=GPU)
        for name, folder in sets.items():
            rows += _measure_set(name, folder, ours(FP32), ours(FP16), app)
    peer = Remembering(face_analysis(pack, providers=CPU))
    return [*rows, *compare(ours(FP32), peer), *compare(ours(FP16), peer, FP16)]


class Remembering:
    """The peer, which looks at a photo once."""

    def __init__(self, app: Any) -> None:
        self._app, self._seen = app, {}  # type: ignore[var-annotated]

    def get(self, image: NDArray[np.uint8]) -> Any:
        key = sha256(image.tobytes()).digest()
        if key not in self._seen:
            self._seen[key] = self._app.get(image)
        return self._seen[key]


def _measure_set(name: str, folder: Path, embedder: Embedder, half: Embedder, app: object) -> list[Row]:
    files = sorted(folder.iterdir())
    scan(folder, embedder, CORES)  # kernels are loaded at their first use
    naive_loop(files[:2], app)
    theirs: list[Timing] = []
    ours: list[Timing] = []
    halves: list[Timing] = []
    shares: list[float] = []
    for _ in range(ROUNDS):
        theirs.append(timed(lambda: naive_loop(files, app)))
        with gpu_busy() as busy:
            ours.append(timed(lambda: scan(folder, embedder, CORES)))
        shares.append(busy.share)
        halves.append(timed(lambda: scan(folder, half, CORES)))
    ratio = statistics.median(one.seconds / other.seconds for one, other in zip(theirs, ours, strict=True))
    fp16 = statistics.median(one.seconds / other.seconds for one, other in zip(theirs, halves, strict=True))
    rate, peer_rate = (len(files) / statistics.median(one.seconds for one in times) for times in (ours, theirs))
    share = statistics.median(shares)
    used = statistics.median(timing.cores_used for timing in ours)
    note = f"{len(files)} photos, {CORES} cores, mean of {ROUNDS} interleaved rounds"
    return [
        Row(f"{name}: photos a second on a GPU", rate, "1/s", "FaceAnalysis on the same GPU", peer_rate, ratio,
            f">= {TARGET}", ratio >= TARGET, note),
        Row(f"{name}: the same in fp16", rate * fp16 / ratio, "1/s", "FaceAnalysis on the same GPU", peer_rate, fp16),
        Row(f"{name}: share of time the GPU is busy", share, "share", target=f">= {BUSY}", met=share >= BUSY,
            note=f"{used:.2f} of the cores were busy"),
    ]  # fmt: skip


@dataclass
class Busy:
    """What the driver said while something ran."""

    samples: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Mean of the samples; what the driver says covers the last sixth of a second or so."""
        return statistics.mean(self.samples) if self.samples else float("nan")


@contextmanager
def gpu_busy(every: float = 0.1) -> Iterator[Busy]:
    """Asks the driver all the while; the first two answers, which tell of the time before, are left out."""
    busy = Busy()
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", f"-lms={every * 1000:.0f}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(2 * every)

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with suppress(ValueError):
                busy.samples.append(float(line.split()[0]) / 100)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield busy
    finally:
        process.kill()
        listener.join()
        process.wait()
        busy.samples = busy.samples[2:] or busy.samples

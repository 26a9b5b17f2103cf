"""Where the time of embedding goes: what a worker does with a photo, on one thread, by stage.

Processor time of the thread, so that others at work on the machine do not count.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.faces import quality
from facesets_dagster.faces.face_cache import FLUSH_FILES
from facesets_dagster.faces.read_photo import face_rows, look_at_photo, with_embeddings
from facesets_dagster.photos.decode import decode_photo
from testing.measurements.row import Row

REPEATS = 3
MAX_PIXELS = 300_000_000
Result = TypeVar("Result")


def shares(name: str, files: Sequence[Path], embedder: Embedder) -> list[Row]:
    """Share of each stage in the time of a photo set."""
    spent: Counter[str] = Counter()
    for path in [path for path in files for _ in range(REPEATS)]:
        spent.update(_stages(path, embedder))
    total, photos = sum(spent.values()), len(files) * REPEATS
    return [
        Row(f"{name}: {stage}", seconds / total, "share", note=f"{1000 * seconds / photos:.2f} ms a photo, one thread")
        for stage, seconds in spent.most_common()
    ]  # type: ignore[misc]


def _stages(path: Path, embedder: Embedder) -> dict[str, float]:
    """Seconds by stage."""
    detector = embedder._detector.session  # type: ignore[attr-defined]
    blob = {detector.get_inputs()[0].name: np.zeros((1, 3, 640, 640), np.float32)}

    def read() -> tuple[bytes, str]:
        data = path.read_bytes()
        return data, sha256(data).hexdigest()

    (data, digest), reading = _timed(read)
    photo, decoding = _timed(lambda: decode_photo(data, max_pixels=MAX_PIXELS))
    found, detecting = _timed(lambda: embedder.detect(photo.image))
    _, running = _timed(lambda: detector.run(None, blob))
    _, measuring = _timed(lambda: (quality.blur(photo.image, found.bbox), embedder.align(photo.image, found.kps)))
    seen = look_at_photo(photo, digest, "bucket", path.name, embedder)
    vectors, recognising = _timed(lambda: [embedder.recognise([face])[0] for face in seen.aligned])
    result = with_embeddings(seen, np.array(vectors, np.float32))
    _, rows = _timed(lambda: face_rows([result] * FLUSH_FILES, embedder.pack.dim))
    return {
        "reading and hashing": reading,
        "decoding": decoding,
        "the detector's graph": running,
        "before and after the detector": max(detecting - running, 0.0),
        "measuring and aligning faces": measuring,
        "the recogniser, its input included": recognising,
        "rows": rows / FLUSH_FILES,
    }


def _timed(run: Callable[[], Result]) -> tuple[Result, float]:
    started = time.thread_time()
    result = run()
    return result, time.thread_time() - started

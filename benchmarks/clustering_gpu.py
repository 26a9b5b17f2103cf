"""The graph of near faces made on an NVIDIA GPU against the same made on the CPU: seconds, and the same partition."""

import time

import numpy as np

from benchmarks.gpu import gpu_name
from benchmarks.results_file import Row
from facesets_dagster.linkage import average_merges
from facesets_dagster.linkage.products import integer_limit
from testing.hard_faces import hard_faces

THRESHOLD = 0.55
COUNTS = (20_000, 100_000)


def measure_clustering_gpu() -> list[Row]:
    """Whole clusterings by turns; without a GPU one row says so."""
    if gpu_name() is None:
        return [Row("clustering on a GPU", None, "s", note="there is no GPU here")]
    warm = hard_faces(5_000)[0]
    for arithmetic in ("cuda", "float32"):
        average_merges(warm, THRESHOLD, arithmetic=arithmetic)
    return [_row(count) for count in COUNTS]


def _row(count: int) -> Row:
    faces = hard_faces(count)[0]
    taken, labels = {}, {}
    for arithmetic in ("cuda", _cpu(faces.shape[1])):
        started = time.perf_counter()
        merges = average_merges(faces, THRESHOLD, arithmetic=arithmetic)
        labels[arithmetic] = merges.labels_at(THRESHOLD)
        taken[arithmetic] = time.perf_counter() - started
    ours, theirs = taken.values()
    same = bool(np.array_equal(*labels.values()))
    return Row(
        f"{count} faces, graph on the GPU", ours, "s", "the same on the CPU", theirs, theirs / ours,
        note="the same partition" if same else "NOT the same partition",
    )  # fmt: skip


def _cpu(dim: int) -> str:
    """What `auto` would take without a GPU."""
    return {127: "int8", 63: "int7", None: "float32"}[integer_limit(dim)]

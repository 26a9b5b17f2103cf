"""Sessions on changed graphs: used if they compute the same as the user's own file, otherwise that file.

What belongs here: when a graph is changed, the check against the original, and the choice. How a graph is rewritten
is in `rewrite`, halved in `precision`. A rewritten graph leaves `model_id` that of the user's files: `TOLERANCE` is far
below the difference between two people, and like that between two CPUs or releases of ONNX Runtime.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.precision import FP16, FP32, LEAST_COSINE, halve
from facesets_dagster.embedding.rewrite import rewrite
from facesets_dagster.errors import ModelPackInvalid
from facesets_dagster.onnx_sessions import is_nvidia, open_session

if TYPE_CHECKING:
    import onnxruntime as ort

TOLERANCE = 1e-4
"""Largest difference of an output, as a share of that output's largest value."""
_CPU = "CPUExecutionProvider"
_LOG = logging.getLogger(__name__)

OutputPairs = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""The same output of two models."""


@dataclass(frozen=True)
class SessionOptions:
    """Where and how a model runs."""

    providers: tuple[str, ...]
    threads: int
    precision: str = FP32

    @property
    def on_gpu(self) -> bool:
        """On one of NVIDIA."""
        return is_nvidia(self.providers[0])

    def open(self, model: Path | bytes) -> "ort.InferenceSession":
        """A session, in the precision that the model has."""
        return open_session(model, providers=self.providers, threads=self.threads)


def open_fast_session(model: Path, sample: NDArray[np.float32], options: SessionOptions) -> "ort.InferenceSession":
    """A session of the changed graph if it agrees with the file's own on `sample`, else one of the file.

    `sample`: an input of the model. Only a CPU has use for rewriting: a GPU has a kernel of its own for what is
    rewritten. Raises `ModelPackInvalid` if a model strays in fp16, which was chosen.
    """
    original, half = options.open(model), options.precision == FP16
    if not half and options.providers[0] != _CPU:
        return original
    import onnx

    graph = onnx.load(str(model))
    if half:
        graph = halve(graph)
    elif not rewrite(graph):
        return original
    data = graph.SerializeToString(deterministic=True)
    del graph
    changed = options.open(data)
    refusal = strays(_outputs(original, changed, sample), options.precision)
    if not refusal:
        return changed
    if half:
        raise ModelPackInvalid(f"{model} in fp16 differs from fp32: it {refusal}. Use FACESETS_PRECISION=fp32 for it.")
    _LOG.warning("%s is used as it is, which is slower: its rewritten graph %s", model, refusal)
    return original


def _difference(pairs: OutputPairs) -> float:
    """Over all outputs, as a share of each one's largest value; infinite where shapes differ or a number is none."""
    worst = 0.0
    for one, other in pairs:
        if one.shape != other.shape or not np.isfinite(other).all():
            return float("inf")
        worst = max(worst, float(np.abs(one - other).max(initial=0)) / max(float(np.abs(one).max(initial=0)), 1e-12))
    return worst


def strays(pairs: OutputPairs, precision: str) -> str:
    """How outputs stray from the file's own in fp32, for a message; empty if no more than `precision` may."""
    if precision == FP16:
        cosine = _cosine(pairs)
        return "" if cosine >= LEAST_COSINE else f"has a cosine of {cosine:.4f}, at least {LEAST_COSINE} is accepted"
    difference = _difference(pairs)
    return "" if difference <= TOLERANCE else f"differs by {difference:.2g}, at most {TOLERANCE} is accepted"


def _cosine(pairs: OutputPairs) -> float:
    """The least over all outputs, each taken as one vector; -1 where shapes differ or a number is none."""
    least = 1.0
    for one, other in pairs:
        if one.shape != other.shape or not np.isfinite(other).all():
            return -1.0
        a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
        least = min(least, float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300)))
    return least


def _outputs(first: "ort.InferenceSession", second: "ort.InferenceSession", sample: NDArray[np.float32]) -> OutputPairs:
    names = [output.name for output in first.get_outputs()]
    feed = {first.get_inputs()[0].name: sample}
    return list(zip(first.run(names, feed), second.run(names, feed), strict=True))


def sample_picture(side: int) -> NDArray[np.uint8]:
    """A picture (side, side, 3) for the check, always the same: patches of colour under noise."""
    rng = np.random.default_rng(7)
    patches = rng.integers(0, 200, (8, 8, 3))
    scaled = np.repeat(np.repeat(patches, -(-side // 8), axis=0), -(-side // 8), axis=1)[:side, :side]
    return np.asarray(scaled + rng.integers(0, 56, (side, side, 3)), np.uint8)

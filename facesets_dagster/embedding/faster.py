"""Sessions on rewritten graphs: used where they compute what the user's own file computes, else the file as it is.

What belongs here: when a graph is rewritten, the check against the original, and the choice. How a graph is rewritten
is in `rewrite`. `model_id` is that of the user's files either way: `TOLERANCE` is far below what tells two faces apart,
and of the order of what another CPU or another release of ONNX Runtime changes.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.rewrite import rewrite
from facesets_dagster.embedding.sessions import open_session

if TYPE_CHECKING:
    import onnxruntime as ort

TOLERANCE = 1e-4
"""Largest difference of an output, as a share of that output's largest value."""
_CPU = "CPUExecutionProvider"
_LOG = logging.getLogger(__name__)


def open_fast_session(
    model: Path, sample: NDArray[np.float32], *, providers: tuple[str, ...], threads: int
) -> "ort.InferenceSession":
    """A session of the rewritten graph if it agrees with the file's own on `sample`, else one of the file.

    `sample`: an input of the model. Only the CPU has use for it: a GPU has a kernel of its own for what is rewritten.
    """
    import onnx

    original = open_session(model, providers=providers, threads=threads)
    if providers[0] != _CPU:
        return original
    graph = onnx.load(str(model))
    if not rewrite(graph):
        return original
    data = graph.SerializeToString(deterministic=True)
    del graph
    rewritten = open_session(data, providers=providers, threads=threads)
    difference = largest_difference(original, rewritten, sample)
    if difference <= TOLERANCE:
        return rewritten
    _LOG.warning(
        "%s is used as it is, which is slower: its rewritten graph differs by %.2g, at most %.2g is accepted",
        model, difference, TOLERANCE,
    )  # fmt: skip
    return original


def largest_difference(
    first: "ort.InferenceSession", second: "ort.InferenceSession", sample: NDArray[np.float32]
) -> float:
    """Over all outputs, as a share of each one's largest value; infinite where shapes differ or a number is none."""
    names = [output.name for output in first.get_outputs()]
    feed = {first.get_inputs()[0].name: sample}
    worst = 0.0
    for one, other in zip(first.run(names, feed), second.run(names, feed), strict=True):
        if one.shape != other.shape or not np.isfinite(other).all():
            return float("inf")
        worst = max(worst, float(np.abs(one - other).max(initial=0)) / max(float(np.abs(one).max(initial=0)), 1e-12))
    return worst


def sample_picture(side: int) -> NDArray[np.uint8]:
    """A picture (side, side, 3) for the check, always the same: patches of colour under noise."""
    rng = np.random.default_rng(7)
    patches = rng.integers(0, 200, (8, 8, 3))
    scaled = np.repeat(np.repeat(patches, -(-side // 8), axis=0), -(-side // 8), axis=1)[:side, :side]
    return np.asarray(scaled + rng.integers(0, 56, (side, side, 3)), np.uint8)

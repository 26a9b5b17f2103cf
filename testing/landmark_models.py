"""Tiny models with the inputs and outputs of insightface's landmark and attribute models, and what they should say.

Each takes the mean colour of its input and gives a linear function of it, so that the right values can be computed here
without insightface's classes. The 68 points are those of insightface's mean face, turned by a known angle.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from insightface.data import get_object
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from testing.fakes import PACK, FakeEmbedder, FakeEmbedderResource

YAW = 20.0
SIDES = {"2d106det.onnx": 192, "1k3d68.onnx": 192, "genderage.onnx": 96}
LENGTHS = {"2d106det.onnx": 212, "1k3d68.onnx": 3309, "genderage.onnx": 3}
PACK_512 = replace(PACK, model_id="fa4e512fa4e512fa", dim=512, recogniser="w600k_r50.onnx")


def _coefficients(file: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (3, length) and bias (length,)."""
    rng = np.random.default_rng(LENGTHS[file])
    weights = rng.normal(0, 0.1, (3, LENGTHS[file])).astype(np.float32)
    bias = rng.uniform(-0.5, 0.5, LENGTHS[file]).astype(np.float32)
    if file == "1k3d68.onnx":
        angle = np.radians(YAW)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        mean_face = np.asarray(get_object("meanshape_68.pkl"), np.float64)
        points = np.zeros((1103, 3))
        points[-68:] = mean_face @ turn.T / (2 * np.abs(mean_face).max())
        # The same for all points: a shift, which leaves the pose as it is.
        return np.tile([[0.1, 0.05, 0.0]], (3, 1103)).astype(np.float32), points.reshape(-1).astype(np.float32)
    if file == "genderage.onnx":
        return np.array([[1, -1, 0.3], [-2, 1, 0.1], [1, 0, -0.2]], np.float32), np.array([0, 0, 0.4], np.float32)
    return weights, bias


def write_models(folder: Path, files: Sequence[str] = tuple(SIDES), *, shift: float = 0.0) -> Path:
    """Writes the models; another `shift` makes others of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        weights, bias = _coefficients(file)
        side = SIDES[file]
        nodes = [
            helper.make_node("GlobalAveragePool", ["data"], ["mean"], name="pool"),
            helper.make_node("Flatten", ["mean"], ["flat"], name="flatten"),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["fc1"], name="dense"),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("data", TensorProto.FLOAT, [None, 3, side, side])],
            [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, LENGTHS[file]])],
            [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias + np.float32(shift), "bias")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        (folder / file).write_bytes(model.SerializeToString())
    return folder


def expected(file: str, image: NDArray[np.uint8], bbox: Sequence[float]) -> NDArray[np.float64]:
    """What the model should say of a face: points in px of the photo, or (gender, age).

    The model sees a square around the box's centre, 1.5 times its longer side, black beyond the photo, RGB, centred at
    127.5 and divided by 128; it gives points in -1..1 of that square.
    """
    side = SIDES[file]
    x1, y1, x2, y2 = bbox
    scale = side / (1.5 * max(x2 - x1, y2 - y1))
    shift = side / 2 - scale * np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    crop = cv2.warpAffine(image, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), (side, side))
    colour = (crop.reshape(-1, 3).mean(axis=0)[::-1] - 127.5) / 128
    weights, bias = _coefficients(file)
    said = colour @ weights + bias
    if file == "genderage.onnx":
        return np.array([np.argmax(said[:2]), round(said[2] * 100)])
    points = said.reshape(-1, 2 if file == "2d106det.onnx" else 3)[-68 if file == "1k3d68.onnx" else -106 :]
    placed = (points[:, :2] + 1) * (side / 2)
    flat = (placed - shift) / scale
    return flat if points.shape[1] == 2 else np.column_stack([flat, points[:, 2] * (side / 2) / scale])


class Embedder512(FakeEmbedder):
    """The fake model with 512-d embeddings, as ArcFace has."""

    pack = PACK_512
    _spread = np.linalg.qr(np.random.default_rng(512).normal(size=(512, PACK.dim)))[0].T

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.asarray(super().recognise(faces) @ self._spread, np.float32).reshape(-1, 512)


class Resource512(FakeEmbedderResource):
    """Give it `models_root` with `models/fake/`, where the landmark models lie."""

    recogniser: str = "w600k_r50.onnx"

    def pack(self) -> ModelPack:
        return replace(PACK_512, recogniser=self.recogniser)

    def embedder(self) -> Embedder:
        return _EMBEDDER


_EMBEDDER = Embedder512()

"""insightface packs: SCRFD finds faces, ArcFace embeds them; boxes and vectors are those of insightface's classes."""

import numpy as np
import onnx
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, ModelPack
from facesets_dagster.embedding.faster import SessionOptions
from facesets_dagster.embedding.models import Scaling
from facesets_dagster.embedding.pack_embedder import LoadAt, PackEmbedder
from facesets_dagster.embedding.packs import PackFiles
from facesets_dagster.embedding.scrfd import HEADS, MEAN, STD, SURE_SCORE, decode_outputs, fitted_size
from facesets_dagster.errors import ModelPackInvalid


class InsightfaceEmbedder(PackEmbedder):
    """Detection and recognition only, one detector scale.

    insightface 2.x by itself detects at 128 and 640 and merges, which gives other boxes.
    """

    def __init__(
        self, pack: ModelPack, files: PackFiles, options: SessionOptions, *, batch: int, load_at: LoadAt
    ) -> None:
        mean, std = arcface_scaling(onnx.load(str(files.recogniser), load_external_data=False))
        scalings = Scaling(MEAN, STD, rgb=True), Scaling(mean, std, rgb=True)
        super().__init__(pack, files, options, scalings, batch=batch, load_at=load_at)
        outputs = len(self._detector.session.get_outputs())
        if outputs not in HEADS:
            raise ModelPackInvalid(
                f"{files.detector} has {outputs} outputs, expected 9 or 15: it finds no landmarks, and no "
                "face can be aligned without them. Use a detector with landmarks (`det_*.onnx` of an insightface pack)."
            )

    @property
    def sure_score(self) -> float:
        """SCRFD's."""
        return SURE_SCORE

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """SCRFD at `det_size`."""
        side = self._pack.det_size
        size = fitted_size(image.shape[0], image.shape[1], side)
        outputs = self._detector.outputs(image, size)
        return decode_outputs(outputs, HEADS[len(outputs)], side, size[0] / image.shape[0])


def arcface_scaling(model: onnx.ModelProto) -> tuple[float, float]:
    """Mean and standard deviation that the recogniser's input wants.

    By the rule of insightface: a graph that begins with subtraction and multiplication (MXNet's) scales by itself.
    """
    names = [node.name for node in model.graph.node[:8]]
    subtracts = any(name.startswith(("Sub", "_minus")) for name in names)
    multiplies = any(name.startswith(("Mul", "_mul")) for name in names)
    return (0.0, 1.0) if subtracts and multiplies else (127.5, 127.5)

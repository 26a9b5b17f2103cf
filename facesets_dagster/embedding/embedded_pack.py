"""The embedded pack: YuNet finds faces, SFace (128-d) embeds them. Free for any use (MIT, Apache-2.0)."""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, ModelPack
from facesets_dagster.embedding.faster import SessionOptions
from facesets_dagster.embedding.letterbox import fitted_size
from facesets_dagster.embedding.models import Scaling
from facesets_dagster.embedding.pack_embedder import LoadAt, PackEmbedder
from facesets_dagster.embedding.packs import PackFiles
from facesets_dagster.embedding.yunet import SURE_SCORE, decode_outputs


class EmbeddedEmbedder(PackEmbedder):
    """YuNet on BGR, SFace on aligned faces in RGB, both 0..255."""

    def __init__(
        self, pack: ModelPack, files: PackFiles, options: SessionOptions, *, batch: int, load_at: LoadAt
    ) -> None:
        scalings = Scaling(0.0, 1.0, rgb=False), Scaling(0.0, 1.0, rgb=True)
        super().__init__(pack, files, options, scalings, batch=batch, load_at=load_at)
        self._outputs = [output.name for output in self._detector.session.get_outputs()]

    @property
    def sure_score(self) -> float:
        """YuNet's."""
        return SURE_SCORE

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """YuNet at `det_size`; boxes scaled back to the photo."""
        side = self._pack.det_size
        size = fitted_size(image.shape[0], image.shape[1], side)
        values = self._detector.outputs(image, size)
        found = decode_outputs(dict(zip(self._outputs, values, strict=True)), side)
        scale = size[0] / image.shape[0]
        return Detections(found.bbox / scale, found.kps / scale, found.det_score)

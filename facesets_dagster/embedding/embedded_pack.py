"""The embedded pack: YuNet finds faces, SFace (128-d) embeds them. Free for any use (MIT, Apache-2.0)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import align
from facesets_dagster.embedding.embedder import Detections, Embedder, ModelPack
from facesets_dagster.embedding.faster import SessionOptions
from facesets_dagster.embedding.letterbox import fitted_size
from facesets_dagster.embedding.models import Scaling, open_detector, open_recogniser
from facesets_dagster.embedding.packs import PackFiles
from facesets_dagster.embedding.yunet import decode_outputs


class EmbeddedEmbedder(Embedder):
    """Implements `Embedder`; sessions are shared by all threads."""

    def __init__(
        self, pack: ModelPack, files: PackFiles, *, providers: tuple[str, ...], threads: int, batch: int
    ) -> None:
        self._pack = pack
        self._batch = batch
        exact = SessionOptions(providers, threads)
        chosen = replace(exact, precision=pack.precision)
        self._detector = open_detector(files.detector, pack.det_size, Scaling(0.0, 1.0, rgb=False), exact)
        self._outputs = [output.name for output in self._detector.session.get_outputs()]
        self._recogniser = open_recogniser(files.recogniser, Scaling(0.0, 1.0, rgb=True), chosen, batch)

    @property
    def pack(self) -> ModelPack:
        return self._pack

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._detector.session.get_providers())

    @property
    def batch(self) -> int:
        return self._batch

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """YuNet at `det_size`, BGR 0..255; boxes scaled back to the photo."""
        side = self._pack.det_size
        size = fitted_size(image.shape[0], image.shape[1], side)
        values = self._detector.outputs(image, size)
        found = decode_outputs(dict(zip(self._outputs, values, strict=True)), side)
        scale = size[0] / image.shape[0]
        return Detections(found.bbox / scale, found.kps / scale, found.det_score)

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        return align(image, kps)

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """SFace on aligned faces, RGB 0..255."""
        return self._recogniser.vectors(faces)

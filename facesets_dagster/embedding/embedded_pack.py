"""The embedded pack: YuNet finds faces, SFace (128-d) embeds them. Free for any use (MIT, Apache-2.0)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import SIDE, align
from facesets_dagster.embedding.blobs import DetectorInput, faces_blob
from facesets_dagster.embedding.embedder import Detections, Embedder, ModelPack
from facesets_dagster.embedding.faster import SessionOptions, open_fast_session, sample_picture
from facesets_dagster.embedding.letterbox import fitted_size
from facesets_dagster.embedding.packs import PackFiles
from facesets_dagster.embedding.yunet import decode_outputs


class EmbeddedEmbedder(Embedder):
    """Implements `Embedder`; sessions are shared by all threads."""

    def __init__(
        self, pack: ModelPack, files: PackFiles, *, providers: tuple[str, ...], threads: int, batch: int
    ) -> None:
        self._pack = pack
        self._batch = batch
        options = SessionOptions(providers, threads, pack.precision)
        side = pack.det_size
        self._input = DetectorInput(side, mean=0.0, std=1.0, rgb=False)
        sample = self._input.of(sample_picture(side), (side, side))
        self._detector = open_fast_session(files.detector, sample, options)
        self._outputs = [output.name for output in self._detector.get_outputs()]
        sample = faces_blob([sample_picture(SIDE)], mean=0.0, std=1.0)
        self._recogniser = open_fast_session(files.recogniser, sample, options)

    @property
    def pack(self) -> ModelPack:
        return self._pack

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._detector.get_providers())

    @property
    def batch(self) -> int:
        return self._batch

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """YuNet at `det_size`, BGR 0..255; boxes scaled back to the photo."""
        side = self._pack.det_size
        size = fitted_size(image.shape[0], image.shape[1], side)
        blob = self._input.of(image, size)
        values = self._detector.run(self._outputs, {"input": blob})
        found = decode_outputs(dict(zip(self._outputs, values, strict=True)), side)
        scale = size[0] / image.shape[0]
        return Detections(found.bbox / scale, found.kps / scale, found.det_score)

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        return [align(image, points) for points in kps]

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """SFace on aligned faces, RGB 0..255."""
        blob = faces_blob(faces, mean=0.0, std=1.0)
        return np.asarray(self._recogniser.run(None, {self._recogniser.get_inputs()[0].name: blob})[0], np.float32)

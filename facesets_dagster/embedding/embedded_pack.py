"""The embedded pack: YuNet finds faces, SFace (128-d) embeds them. Free for any use (MIT, Apache-2.0)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import align
from facesets_dagster.embedding.embedder import Detections, ModelPack
from facesets_dagster.embedding.letterbox import letterbox
from facesets_dagster.embedding.packs import PackFiles
from facesets_dagster.embedding.sessions import open_session
from facesets_dagster.embedding.yunet import decode_outputs


class EmbeddedEmbedder:
    """Implements `Embedder`; sessions are shared by all threads."""

    def __init__(
        self, pack: ModelPack, files: PackFiles, *, providers: tuple[str, ...], threads: int, recogniser_batch: int
    ) -> None:
        self._pack = pack
        self._batch = recogniser_batch
        self._detector = open_session(files.detector, providers=providers, threads=threads)
        self._recogniser = open_session(files.recogniser, providers=providers, threads=threads)
        self._outputs = [output.name for output in self._detector.get_outputs()]

    @property
    def pack(self) -> ModelPack:
        return self._pack

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._detector.get_providers())

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """YuNet at `det_size`, BGR 0..255; boxes scaled back to the photo."""
        square, scale = letterbox(image, self._pack.det_size)
        blob = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32)
        values = self._detector.run(self._outputs, {"input": blob})
        found = decode_outputs(dict(zip(self._outputs, values, strict=True)), self._pack.det_size)
        return Detections(found.bbox / scale, found.kps / scale, found.det_score)

    def embed(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> NDArray[np.float32]:
        """SFace on aligned faces, RGB 0..255."""
        vectors = [np.zeros((0, self._pack.dim), np.float32)]
        for start in range(0, len(kps), self._batch):
            faces = [
                cv2.cvtColor(align(image, points), cv2.COLOR_BGR2RGB) for points in kps[start : start + self._batch]
            ]
            blob = np.ascontiguousarray(np.stack(faces).transpose(0, 3, 1, 2), np.float32)
            name = self._recogniser.get_inputs()[0].name
            vectors.append(np.asarray(self._recogniser.run(None, {name: blob})[0], np.float32))
        return np.concatenate(vectors)

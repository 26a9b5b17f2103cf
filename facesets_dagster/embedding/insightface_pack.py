"""insightface packs: SCRFD finds faces, ArcFace embeds them, by insightface's own classes on our sessions."""

import numpy as np
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from insightface.model_zoo.scrfd import SCRFD
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import align
from facesets_dagster.embedding.embedder import Detections, ModelPack
from facesets_dagster.embedding.packs import PackFiles
from facesets_dagster.embedding.sessions import open_session

DET_THRESH = 0.5


class InsightfaceEmbedder:
    """Implements `Embedder`; detection and recognition only, one detector scale."""

    def __init__(
        self, pack: ModelPack, files: PackFiles, *, providers: tuple[str, ...], threads: int, recogniser_batch: int
    ) -> None:
        self._pack = pack
        self._batch = recogniser_batch
        session = open_session(files.detector, providers=providers, threads=threads)
        self._detector = SCRFD(str(files.detector), session=session, static_shape_sessions=False)
        # One scale: insightface 2.x otherwise detects at 128 and 640 and merges, which gives other boxes.
        self._detector.prepare(0, input_size=(pack.det_size, pack.det_size), det_thresh=DET_THRESH)
        self._recogniser = ArcFaceONNX(
            str(files.recogniser), session=open_session(files.recogniser, providers=providers, threads=threads)
        )

    @property
    def pack(self) -> ModelPack:
        return self._pack

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._detector.session.get_providers())

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """SCRFD at `det_size`."""
        found, kps = self._detector.detect(image)
        found = np.asarray(found, np.float32).reshape(-1, 5)
        points = np.asarray(kps, np.float32).reshape(-1, 5, 2)
        return Detections(found[:, :4], points, found[:, 4])

    def embed(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> NDArray[np.float32]:
        """ArcFace on aligned faces."""
        vectors = [np.zeros((0, self._pack.dim), np.float32)]
        for start in range(0, len(kps), self._batch):
            faces = [align(image, points) for points in kps[start : start + self._batch]]
            vectors.append(np.asarray(self._recogniser.get_feat(faces), np.float32))
        return np.concatenate(vectors)

"""What the embedders of all packs have in common: a detector and a recogniser; sessions are shared by all threads."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import align
from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.models import Detector, Recogniser

LoadAt = Callable[[int], Embedder]
"""`det_size` -> the embedder of the same configuration that detects at it."""


class PackEmbedder(Embedder):
    """Implements `Embedder` but for `detect`, which depends on the detector's outputs."""

    def __init__(
        self, pack: ModelPack, detector: Detector, recogniser: Recogniser, *, batch: int, load_at: LoadAt
    ) -> None:
        self._pack, self._batch, self._load_at = pack, batch, load_at
        self._detector, self._recogniser = detector, recogniser

    @property
    def pack(self) -> ModelPack:
        return self._pack

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._detector.session.get_providers())

    @property
    def batch(self) -> int:
        return self._batch

    def at(self, det_size: int) -> Embedder:
        return self._load_at(det_size)

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        return align(image, kps)

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self._recogniser.vectors(faces)

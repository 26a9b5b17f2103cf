"""What the embedders of all packs have in common: a detector and a recogniser; sessions are shared by all threads."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import align
from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.faster import SessionOptions
from facesets_dagster.embedding.models import Scaling, open_detector, open_recogniser
from facesets_dagster.embedding.packs import PackFiles

LoadAt = Callable[[int], Embedder]
"""`det_size` -> the embedder of the same configuration that detects at it."""


class PackEmbedder(Embedder):
    """Implements `Embedder` but for `detect`, which depends on the detector's outputs."""

    def __init__(
        self,
        pack: ModelPack,
        files: PackFiles,
        options: SessionOptions,
        scalings: tuple[Scaling, Scaling],
        *,
        batch: int,
        load_at: LoadAt,
    ) -> None:
        """`scalings`: of detector and recogniser; the pack's precision is the recogniser's alone."""
        self._pack, self._batch, self._load_at = pack, batch, load_at
        of_faces = replace(options, precision=pack.precision)
        self._detector = open_detector(files.detector, pack.det_size, scalings[0], options)
        self._recogniser = open_recogniser(files.recogniser, scalings[1], of_faces, batch)

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

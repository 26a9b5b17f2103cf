"""The one narrow interface between the platform and a pair of face models.

Implemented by `pack_embedder` with `insightface_pack` and `embedded_pack`, and by the fake embedder of the tests. Used
by `faces` (to detect and embed photos), `export.crop_check` and `analysis.consumer_simulation` (to see a crop as its
consumer does). Nothing here imports a model library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.precision import FP32


@dataclass(frozen=True)
class ModelPack:
    """What identifies the models; equal `model_id` means comparable embeddings."""

    name: str
    """`embedded`, `buffalo_l`, or the folder's name."""
    model_id: str
    """First 16 hex digits of sha256 over the digests of both weight files, `det_size`, and `precision` if not fp32."""
    det_size: int
    """Side of the square that a photo is fitted into for detection, px."""
    dim: int
    """Length of an embedding."""
    detector: str
    """File name of the detector."""
    recogniser: str
    """File name of the recogniser."""
    precision: str = FP32
    """Of the recogniser's arithmetic: `fp32` or `fp16`."""

    def recorded(self) -> dict[str, object]:
        """What the manifests of facesets say of the model."""
        precision = {} if self.precision == FP32 else {"precision": self.precision}
        return {"pack": self.name, "model_id": self.model_id, "det_size": self.det_size, **precision}


@dataclass(frozen=True)
class Detections:
    """Faces of one photo, in px of the upright photo at full resolution, best `det_score` first."""

    bbox: NDArray[np.float32]
    """(n, 4): x1, y1, x2, y2; may reach past the photo's border."""
    kps: NDArray[np.float32]
    """(n, 5, 2): left eye, right eye, nose, left and right mouth corner, as seen in the picture."""
    det_score: NDArray[np.float32]
    """(n,): 0..1."""

    def __len__(self) -> int:
        return len(self.det_score)


class Embedder(Protocol):
    """Finds faces and turns them into vectors. Methods may be called from several threads."""

    @property
    def pack(self) -> ModelPack: ...

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that the sessions really got, first choice first."""
        ...

    @property
    def sure_score(self) -> float:
        """Detection score that nearly all upright faces reach, and few that lie on their side or head; 0: not known."""
        return 0.0

    def at(self, det_size: int) -> "Embedder":
        """The same models with detection at another size, as a consumer of a crop may have it."""
        ...

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Faces of a photo (h, w, 3), BGR, upright."""
        ...

    @property
    def batch(self) -> int:
        """Faces that one call of `recognise` should get; faces of several photos may share a call."""
        ...

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        """The aligned face, for `recognise`, of each of `kps` (n, 5, 2) in a photo (h, w, 3), BGR; copies, no views."""
        ...

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Raw (not normalised) embeddings (n, dim) of one aligned face or more."""
        ...

    def embed(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw embeddings (n, dim) of the faces at `kps` (n, 5, 2) of a photo (h, w, 3), BGR."""
        faces = self.align(image, kps)
        vectors = [self.recognise(faces[start : start + self.batch]) for start in range(0, len(faces), self.batch)]
        return np.concatenate([np.zeros((0, self.pack.dim), np.float32), *vectors])

"""Photos as the input tensors of models, written straight into memory that each thread keeps.

The values are those of `cv2.dnn.blobFromImage`, bit for bit; it makes and drops several copies of the picture.
"""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class DetectorInput:
    """A detector's input for one photo after the other: scaled into the top left of a square, BGR or RGB planes."""

    def __init__(self, side: int, *, mean: float, std: float, rgb: bool) -> None:
        self._side, self._rgb = side, rgb
        self._mean, self._scale = np.float32(mean), np.float32(1.0 / std)
        self._kept = threading.local()

    def of(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
        """The tensor (1, 3, side, side) of a photo (h, w, 3), BGR, scaled to `size` (height, width).

        It belongs to the calling thread and holds until that thread's next call.
        """
        import cv2

        height, width = size
        blob, pixels, planes = self._memory(size)
        scaled = pixels[: height * width * 3].reshape(height, width, 3)
        cv2.resize(image, (width, height), dst=scaled)
        parts = [plane[: height * width].reshape(height, width) for plane in planes]
        cv2.split(scaled, parts)
        for index, part in enumerate(reversed(parts) if self._rgb else parts):
            standardise(part, blob[0, index, :height, :width], self._mean, self._scale)
        return blob

    def _memory(
        self, size: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], tuple[NDArray[np.uint8], ...]]:
        """Arrays of the calling thread; beyond `size` the tensor is as black as before."""
        kept, cells = self._kept, self._side * self._side
        if not hasattr(kept, "blob"):
            kept.blob = np.empty((1, 3, self._side, self._side), np.float32)
            kept.pixels = np.empty(cells * 3, np.uint8)
            kept.planes = tuple(np.empty(cells, np.uint8) for _ in range(3))
            kept.size = None
        if kept.size != size:
            kept.blob.fill((np.float32(0) - self._mean) * self._scale)
            kept.size = size
        return kept.blob, kept.pixels, kept.planes


def standardise(
    values: NDArray[np.uint8], out: NDArray[np.float32], mean: np.float32, scale: np.float32
) -> NDArray[np.float32]:
    """`(values - mean) * scale` in float32, into `out` of the same shape."""
    np.subtract(values, mean, out=out, dtype=np.float32)
    return np.multiply(out, scale, out=out)


def faces_blob(faces: Sequence[NDArray[np.uint8]], *, mean: float, std: float) -> NDArray[np.float32]:
    """The tensor (n, 3, h, w), RGB planes, of aligned faces (h, w, 3), BGR."""
    stacked = np.stack(faces)[..., ::-1].transpose(0, 3, 1, 2)
    out = np.empty(stacked.shape, np.float32)
    return standardise(stacked, out, np.float32(mean), np.float32(1.0 / std))

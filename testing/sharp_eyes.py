"""A fake model that sees small faces only at detector size 320, as real ones do with blurred ones in a background."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from testing.fakes import FakeEmbedder, FakeEmbedderResource

LEAST_AT_640 = 60
"""Shorter side of a face, px of the picture, below which 640 does not find it."""


class SharpAt320(FakeEmbedder):
    """`FakeEmbedder` that overlooks small faces at its own size."""

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        found = super().detect(image)
        sides: NDArray[Any] = (found.bbox[:, 2:] - found.bbox[:, :2]).min(axis=1, initial=1e9)
        seen = sides >= (LEAST_AT_640 if self.pack.det_size == 640 else 0)
        return Detections(found.bbox[seen], found.kps[seen], found.det_score[seen])


class SharpResource(FakeEmbedderResource):
    """Its resource."""

    def embedder(self) -> Embedder:
        return _SHARP


_SHARP = SharpAt320()

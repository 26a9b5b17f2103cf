"""A pack's detector and recogniser, opened as suits where they run.

What belongs here: the choice between float32 blobs, one photo at a time, each from its own thread (CPU and whatever
else), and batches of pictures as bytes (NVIDIA GPUs). What the outputs mean is the packs' business.
"""

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import SIDE
from facesets_dagster.embedding.blobs import DetectorInput, faces_blob
from facesets_dagster.embedding.faster import SessionOptions, open_fast_session, sample_picture, strays
from facesets_dagster.embedding.gathered import Gathered
from facesets_dagster.embedding.pictures_in import PICTURES, take_pictures
from facesets_dagster.embedding.precision import FP16, halve

if TYPE_CHECKING:
    import onnxruntime as ort

DETECTOR_BATCH = 4
"""Photos that a GPU's detector takes at once."""
_LOG = logging.getLogger(__name__)

Outputs = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Scaling:
    """How a model wants its input: `(pixel - mean) / std`, planes in the order R, G, B or B, G, R."""

    mean: float
    std: float
    rgb: bool


def open_detector(model: Path, side: int, scaling: Scaling, options: SessionOptions) -> "Detector":
    """A detector with a square of `side` px."""
    blobs = DetectorInput(side, mean=scaling.mean, std=scaling.std, rgb=scaling.rgb)

    def blob(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        return blobs.of(picture, (side, side)).copy()

    samples = _samples(side)
    if options.on_gpu:
        pictures = _open_pictures(
            model, samples, [blob(sample) for sample in samples], scaling, options, DETECTOR_BATCH
        )
        if pictures is not None:
            return _PictureDetector(pictures, side)
    return _BlobDetector(open_fast_session(model, blob(samples[0]), options), blobs)


def open_recogniser(model: Path, scaling: Scaling, options: SessionOptions, batch: int) -> "Recogniser":
    """A recogniser of aligned faces, up to `batch` at once."""
    samples = _samples(SIDE)
    blobs = [faces_blob([sample], mean=scaling.mean, std=scaling.std) for sample in samples]
    if options.on_gpu:
        pictures = _open_pictures(model, samples, blobs, scaling, options, batch)
        if pictures is not None:
            return _PictureRecogniser(pictures)
    return _BlobRecogniser(open_fast_session(model, blobs[0], options), scaling)


def _samples(side: int) -> list[NDArray[np.uint8]]:
    """Two pictures (side, side, 3) that differ, so that a model that mixes them up is found out."""
    picture = sample_picture(side)
    return [picture, np.ascontiguousarray(picture[::-1, ::-1] // 2)]


@dataclass(frozen=True)
class _BlobDetector:
    session: "ort.InferenceSession"
    input: DetectorInput

    def outputs(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Outputs:
        blob = self.input.of(image, size)
        return list(self.session.run(None, {self.session.get_inputs()[0].name: blob}))


@dataclass(frozen=True)
class _BlobRecogniser:
    session: "ort.InferenceSession"
    scaling: Scaling

    def vectors(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        blob = faces_blob(faces, mean=self.scaling.mean, std=self.scaling.std)
        return np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: blob})[0], np.float32)


class PictureModel:
    """A model that takes up to `batch` pictures (side, side, 3), BGR, contiguous, as bytes; one call at a time.

    Two sessions: of one picture, and of `batch`, to which fewer are made up with black ones.
    """

    def __init__(self, single: "ort.InferenceSession", several: "ort.InferenceSession") -> None:
        self.session, self._single = several, single
        self.batch, *shape = several.get_inputs()[0].shape
        self._shape = tuple(shape)
        self._black = bytes(math.prod(self._shape))
        self._alone = threading.Lock()

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> Outputs:
        """Outputs, each (n, ...), of n <= `batch` pictures."""
        session, count = (self._single, 1) if len(pictures) == 1 else (self.session, self.batch)
        # One copy in one go: copying picture by picture lets go of the interpreter, and waits for it, each time.
        joined = b"".join([*(picture.data for picture in pictures), *[self._black] * (count - len(pictures))])
        with self._alone:
            outputs = session.run(None, {PICTURES: np.frombuffer(joined, np.uint8).reshape(count, *self._shape)})
        return [output[: len(pictures)] for output in outputs]


def _open_pictures(
    model: Path,
    samples: Sequence[NDArray[np.uint8]],
    blobs: Sequence[NDArray[np.float32]],
    scaling: Scaling,
    options: SessionOptions,
    batch: int,
) -> PictureModel | None:
    """None, and a line in the log, if the outputs of the graph do not separate the pictures of a batch."""

    def opened(count: int) -> "ort.InferenceSession":
        import onnx

        changed = onnx.load(str(model))
        if options.precision == FP16:
            changed = halve(changed)
        take_pictures(changed, count=count, side=len(samples[0]), mean=scaling.mean, std=scaling.std, rgb=scaling.rgb)
        return options.open(changed.SerializeToString(deterministic=True))

    original = options.open(model)
    try:
        pictures = PictureModel(opened(1), opened(max(batch, len(samples))))
        several, single = pictures.run(samples), pictures.run(samples[:1])
    except Exception as error:  # What an unforeseen graph brings about in ONNX and its runtime has no common base class
        _LOG.warning("%s takes photos one by one, which is slower: %s", model, str(error)[:200])
        return None
    found = [*_each(several, len(samples)), single]
    for outputs, blob in zip(found, [*blobs, blobs[0]], strict=True):
        wanted = original.run(None, {original.get_inputs()[0].name: blob})
        alike = [
            (one, other.reshape(one.shape) if other.size == one.size else other)
            for one, other in zip(wanted, outputs, strict=True)
        ]
        refusal = strays(alike, options.precision)
        if refusal:
            _LOG.warning("%s takes photos one by one, which is slower: in a batch it %s", model, refusal)
            return None
    return pictures


class _PictureDetector:
    def __init__(self, model: PictureModel, side: int) -> None:
        self.session = model.session
        self._side = side
        self._each: Gathered[NDArray[np.uint8], Outputs] = Gathered(
            lambda pictures: _each(model.run(pictures), len(pictures)), model.batch
        )

    def outputs(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Outputs:
        import cv2

        height, width = size
        picture = np.zeros((self._side, self._side, 3), np.uint8)
        cv2.resize(image, (width, height), dst=picture[:height, :width])
        return self._each(picture)


class _PictureRecogniser:
    def __init__(self, model: PictureModel) -> None:
        self.session = model.session
        self._model = model

    def vectors(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        batch = self._model.batch
        parts = [self._model.run(faces[start : start + batch])[0] for start in range(0, len(faces), batch)]
        return np.concatenate(parts)


def _each(outputs: Outputs, count: int) -> list[Outputs]:
    """Those of each picture, with a first dimension of 1."""
    return [[output[index : index + 1] for output in outputs] for index in range(count)]


Detector = _BlobDetector | _PictureDetector
"""`outputs`: what the model gives for a photo (h, w, 3), BGR, scaled to `size` (height, width) in its square."""
Recogniser = _BlobRecogniser | _PictureRecogniser
"""`vectors`: raw embeddings (n, dim) of aligned faces (112, 112, 3), BGR. Both are called from several threads."""

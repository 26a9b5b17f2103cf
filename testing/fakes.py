"""A fake face model that really looks at pixels, and photos drawn for it.

A fake face is a saturated, textured square on a grey photo: its hue says who it is, its saturation which variant of
them. Detection finds the squares, embedding turns hue and saturation into a vector; both survive cropping and scaling.
"""

import contextlib
import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder, ModelPack
from facesets_dagster.embedding.home_numbers import numbers_at_home, with_ruled_numbers
from facesets_dagster.embedding.thresholds import ARCFACE, PackThresholds
from facesets_dagster.resources.embedder import EmbedderResource

PACK = ModelPack("fake", "fa4efa4efa4efa4e", 640, 64, "none", "none")
HUES = 18


@dataclass(frozen=True)
class FakeFace:
    """A face to draw."""

    person: int
    """0..17."""
    variant: float
    """-1..1: where in the person's spread of looks."""
    x: int = 60
    y: int = 60
    size: int = 160


def draw_photo(faces: Sequence[FakeFace], *, seed: int = 0, width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    """A photo (h, w, 3), BGR."""
    rng = np.random.default_rng(seed)
    image = np.repeat(rng.integers(90, 130, (height, width, 1), np.uint8), 3, axis=2)
    for face in faces:
        hsv = np.empty((face.size, face.size, 3), np.uint8)
        hsv[..., 0] = face.person * 10 + 4
        hsv[..., 1] = round(190 + 50 * face.variant)
        hsv[..., 2] = rng.integers(150, 250, (face.size, face.size))
        image[face.y : face.y + face.size, face.x : face.x + face.size] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return image


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """The photo as a PNG file; stored, since deflating noise takes ten times as long as drawing and reading it."""
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()


def write_photo(path: Path, faces: Sequence[FakeFace], *, seed: int = 0) -> Path:
    """Writes a drawn photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(draw_photo(faces, seed=seed)))
    return path


def write_person(folder: Path, person: int, count: int, *, first: int = 0) -> None:
    """`count` portraits of one person, all different looks."""
    for index in range(first, first + count):
        variant = -0.9 + 1.8 * ((index * 7) % 20) / 19
        write_photo(folder / f"p{person:02d}_{index:03d}.png", [FakeFace(person, variant)], seed=1000 * person + index)


def write_looks(folder: Path, person: int, variants: Sequence[float]) -> None:
    """A portrait of one person for each look; looks less than 0.4 apart are near-duplicates."""
    for variant in variants:
        name, seed = f"p{person:02d}_{variant:+.3f}.png", 1000 * person + round(500 * (1 + variant))
        write_photo(folder / name, [FakeFace(person, variant)], seed=seed)


class FakeEmbedder(Embedder):
    """Implements `Embedder` on drawn photos."""

    pack = PACK
    providers = ("CPUExecutionProvider",)
    batch = 2
    vector_dim = PACK.dim

    def __init__(self) -> None:
        self.detected = 0

    def at(self, det_size: int) -> Embedder:
        return self if det_size == self.pack.det_size else copy_at(self, det_size)

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        self.detected += 1
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        mask = (hsv[..., 1] > 100).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        boxes = [stats[i, :4] for i in range(1, count) if stats[i, 4] >= 400]
        boxes.sort(key=lambda box: (-box[2] * box[3], box[0], box[1]))
        bbox = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32).reshape(-1, 4)
        sides = (bbox[:, 2:] - bbox[:, :2])[:, None]
        places = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.8], [0.65, 0.8]], np.float32)
        return Detections(bbox, bbox[:, None, :2] + places * sides, np.full(len(bbox), 0.9, np.float32))

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        corners = [(points.min(axis=0).astype(int), points.max(axis=0).astype(int)) for points in kps]
        return [image[y1 : y2 + 1, x1 : x2 + 1].copy() for (x1, y1), (x2, y2) in corners]

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.array([self._vector(face) for face in faces], np.float32).reshape(-1, self.vector_dim)

    def _vector(self, face: NDArray[np.uint8]) -> NDArray[np.float64]:
        hsv = cv2.cvtColor(face, cv2.COLOR_BGR2HSV).reshape(-1, 3)
        person = int(np.median(hsv[:, 0])) // 10
        variant = (float(np.median(hsv[:, 1])) - 190) / 50
        return 20 * person_vector(person, variant)


def copy_at(embedder: Any, det_size: int) -> Any:
    """A fake that sees the same at another size, under a model_id of its own."""
    other = copy.copy(embedder)
    other.pack = replace(embedder.pack, det_size=det_size, model_id=f"{det_size:04d}{embedder.pack.model_id[4:]}")
    return other


def person_vector(person: int, variant: float, dim: int = PACK.dim) -> NDArray[np.float64]:
    """Unit vector (dim,) of a look: looks of one person lie on an arc of +-45 degrees, people are far apart."""
    rng = np.random.default_rng(person)
    basis, _ = np.linalg.qr(rng.normal(size=(dim, 2)))
    angle = variant * np.pi / 4
    return basis[:, 0] * np.cos(angle) + basis[:, 1] * np.sin(angle)


OTHER_PACK = ModelPack("other", "07e407e407e407e4", 640, 48, "none", "none")


class OtherFakeEmbedder(FakeEmbedder):
    """Another pack: its boxes are tighter and its vectors shorter, and it finds no face of person `blind_to`."""

    pack = OTHER_PACK
    vector_dim = OTHER_PACK.dim

    def __init__(self, blind_to: int | None = None) -> None:
        super().__init__()
        self.blind_to = blind_to

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        found = super().detect(image)
        sides = found.bbox[:, 2:] - found.bbox[:, :2]
        inset = np.concatenate([sides * 0.04, -sides * 0.1], axis=1)
        keep = [row for row in range(len(found)) if self._person(image, found.bbox[row]) != self.blind_to]
        return Detections((found.bbox + inset)[keep], found.kps[keep], found.det_score[keep])

    def _person(self, image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> int:
        x1, y1, x2, y2 = bbox.astype(int)
        return int(np.median(cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2HSV)[..., 0])) // 10

    def _vector(self, face: NDArray[np.uint8]) -> NDArray[np.float64]:
        hsv = cv2.cvtColor(face, cv2.COLOR_BGR2HSV).reshape(-1, 3)
        person = int(np.median(hsv[:, 0])) // 10
        variant = (float(np.median(hsv[:, 1])) - 190) / 50
        return 15 * person_vector(person + 100, variant, OTHER_PACK.dim)


class FakeEmbedderResource(EmbedderResource):
    """The embedder resource of the tests: the real one's shape, a fake model. Others give another `embedder`."""

    model_pack: str = "fake"
    models_root: str = "none"

    def pack(self) -> ModelPack:
        return self.embedder().pack

    def thresholds(self) -> PackThresholds:
        measured = numbers_at_home(ARCFACE, self.calibration_file(), self.pack().model_id)
        return with_ruled_numbers(measured, self.ruled_file(), self.pack().model_id)

    def embedder(self) -> Embedder:
        return _EMBEDDER


_EMBEDDER = FakeEmbedder()


def too_deep(bucket: Path) -> None:
    """Folders in each other whose path no system call takes."""
    bucket.mkdir()
    with contextlib.chdir(bucket):
        for _ in range(30):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)

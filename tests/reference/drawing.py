"""Draws the plan of `cast`, and the face model that reads such drawings.

A face is a square of four quadrants: three hues say who it is (up to 18^3 people), hue and saturation of the fourth
which look. Every look lies 30 degrees from the person's vector in a direction of its own, so two looks are no
near-duplicates, and people are far apart (512 dimensions).
"""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.embedding.embedder import Detections, Embedder, ModelPack
from facesets_dagster.sample.buckets import psd_bytes
from testing.fakes import FakeEmbedderResource, copy_at
from tests.reference.cast import Cast, Face, Photo

PACK = ModelPack("drawn", "d4a3d4a3d4a3d4a3", 640, 512, "none", "none")
HUES, LEVELS = 18, (170, 205, 240)
_CELL_WIDTH, _CELL_HEIGHT, _COLUMNS = 180, 240, 4


def draw(photo: Photo, seed: int) -> NDArray[np.uint8]:
    """A photo (480, 720, 3), BGR: up to eight faces on noise."""
    rng = np.random.default_rng(seed)
    image = np.repeat(rng.integers(90, 130, (480, 720, 1), np.uint8), 3, axis=2)
    for place, face in enumerate(photo.faces):
        top = (place // _COLUMNS) * _CELL_HEIGHT + (_CELL_HEIGHT - face.px) // 2
        left = (place % _COLUMNS) * _CELL_WIDTH + (_CELL_WIDTH - face.px) // 2
        image[top : top + face.px, left : left + face.px] = _square(face, rng)
    return image


def _square(face: Face, rng: np.random.Generator) -> NDArray[np.uint8]:
    hues = (face.person % HUES, face.person // HUES % HUES, face.person // HUES**2, face.look % HUES)
    hsv = np.empty((face.px, face.px, 3), np.uint8)
    half = face.px // 2
    for quadrant, hue in enumerate(hues):
        part = hsv[half * (quadrant // 2) :, half * (quadrant % 2) :]
        part[..., 0] = hue * 10 + 4
        part[..., 1] = LEVELS[face.look // HUES] if quadrant == 3 else 220
    blocks = rng.integers(150, 250, (face.px // 3 + 1, face.px // 3 + 1), np.uint8)
    hsv[..., 2] = np.kron(blocks, np.ones((3, 3), np.uint8))[: face.px, : face.px]
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)


def jpeg_bytes(image: NDArray[np.uint8]) -> bytes:
    """The photo as a JPEG file."""
    stream = io.BytesIO()
    Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


def write_known(folder: Path, person: int, photos: int) -> None:
    """Photos of one person with looks that the bucket does not hold."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(photos):
        photo = Photo([Face(person, 53 - index, 130)])
        (folder / f"p{person:02d}_{index:02d}.jpg").write_bytes(jpeg_bytes(draw(photo, 10_000 + 100 * person + index)))


def write_cached(folder: Path, plan: Cast) -> None:
    """The 160 files that the caches know already; one of them is called `.jpeg`."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, photo in enumerate(plan.photos):
        name = f"IMG_{index:04d}.jpeg" if index == 3 else f"IMG_{index:04d}.jpg"
        (folder / name).write_bytes(jpeg_bytes(draw(photo, index)))


def write_rest(folder: Path, plan: Cast, aliases: int = 11) -> list[int]:
    """12 JPEGs of which 11 are byte copies, and 41 PSDs; gives the places of the copied photos."""
    (folder / "[Originaldateien]").mkdir()
    (folder / "psd").mkdir()
    (folder / "IMG_9000.jpg").write_bytes(jpeg_bytes(draw(plan.new, 9000)))
    copied = list(range(20, 20 + aliases))
    for index in copied:
        place = folder / ("[Originaldateien]" if index == copied[0] else ".") / f"copy of {index}.jpg"
        place.write_bytes((folder / f"IMG_{index:04d}.jpg").read_bytes())
    for index, photo in enumerate(plan.psds):
        (folder / "psd" / f"layers {index:02d}.psd").write_bytes(psd_bytes(draw(photo, 20_000 + index)))
    return copied


class DrawnEmbedder(Embedder):
    """Implements `Embedder` on these drawings."""

    pack = PACK
    providers = ("CPUExecutionProvider",)
    batch = 1

    def at(self, det_size: int) -> Embedder:
        return self if det_size == self.pack.det_size else copy_at(self, det_size)

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        mask = cv2.morphologyEx((hsv[..., 1] > 100).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        boxes = sorted(tuple(stats[i, :4].tolist()) for i in range(1, count) if stats[i, 4] >= 400)
        bbox = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32).reshape(-1, 4)
        places = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.8], [0.65, 0.8]], np.float32)
        kps = bbox[:, None, :2] + places * (bbox[:, 2:] - bbox[:, :2])[:, None]
        return Detections(bbox, kps, np.full(len(bbox), 0.85, np.float32))

    def align(self, image: NDArray[np.uint8], kps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        return [self._quadrants(image, points) for points in kps]

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.array([self._vector(face) for face in faces], np.float32).reshape(-1, PACK.dim)

    def _quadrants(self, image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Hue (in steps of 10) and saturation of the four quadrants, as the bytes of (4, 2) float32."""
        side = (points[1] - points[0])[0] / 0.4
        left, top = points[0] - np.array([0.3, 0.35]) * side
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        found = []
        for quadrant in range(4):
            x, y = left + side * (0.12 + 0.5 * (quadrant % 2)), top + side * (0.12 + 0.5 * (quadrant // 2))
            part = hsv[max(int(y), 0) : int(y + 0.26 * side), max(int(x), 0) : int(x + 0.26 * side)].reshape(-1, 3)
            found.append((int(np.median(part[:, 0])) // 10, float(np.median(part[:, 1]))))
        return np.array(found, np.float32).view(np.uint8)

    def _vector(self, face: NDArray[np.uint8]) -> NDArray[np.float64]:
        found = [(int(hue), saturation) for hue, saturation in face.view(np.float32).tolist()]
        person = found[0][0] + HUES * found[1][0] + HUES**2 * found[2][0]
        level = int(np.abs(np.array(LEVELS) - found[3][1]).argmin())
        return 20 * look_vector(person, found[3][0] + HUES * level)


def look_vector(person: int, look: int) -> NDArray[np.float64]:
    """Unit vector (512,)."""
    base, aside = (_direction(person, 0), _direction(person, 1 + look))
    aside -= (aside @ base) * base
    return np.cos(np.pi / 6) * base + np.sin(np.pi / 6) * aside / np.linalg.norm(aside)


def _direction(person: int, which: int) -> NDArray[np.float64]:
    vector = np.random.default_rng([person, which]).normal(size=PACK.dim)
    return vector / np.linalg.norm(vector)


class DrawnEmbedderResource(FakeEmbedderResource):
    """The embedder resource for these drawings."""

    model_pack: str = "drawn"

    def embedder(self) -> Embedder:
        return _EMBEDDER


_EMBEDDER = DrawnEmbedder()

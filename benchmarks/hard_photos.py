"""Photos in which a face is easily missed, made of portraits: tight crops, large photos. Nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.alignment import similarity_transforms
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.photos.decode import decode_photo

STYLES = {"box": None, "aligned": 1.0, "full_face": 0.72}
"""How a crop is cut: to the box, as ArcFace aligns it, as DeepFaceLab does; by the size of the face in it."""
LARGE = {"12 MP": (4032, 3024), "24 MP": (6000, 4000), "48 MP": (8064, 6048), "108 MP": (12000, 9000)}
"""Width and height of cameras' photos."""


@dataclass(frozen=True)
class Portrait:
    """A photo whose largest face is known."""

    path: Path
    image: NDArray[np.uint8]
    bbox: NDArray[np.float32]
    kps: NDArray[np.float32]
    """(5, 2)."""

    @property
    def short(self) -> float:
        """Shorter side of the box, px."""
        return float((self.bbox[2:] - self.bbox[:2]).min())


def portraits(folder: Path, count: int, embedder: Embedder, *, short: float = 60.0) -> Iterator[Portrait]:
    """One photo each of up to `count` people, from folders of one person, whose largest face has `short` px."""
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    for person in np.random.default_rng(0).permutation(len(people)).tolist():
        path = next(iter(sorted(people[person].iterdir())))
        image = decode_photo(path.read_bytes(), max_pixels=300_000_000).image
        found = embedder.detect(image)
        sides = (found.bbox[:, 2:] - found.bbox[:, :2]).min(axis=1)
        if count and len(found) and sides.max() >= short and found.det_score[sides.argmax()] > embedder.sure_score:
            count -= 1
            yield Portrait(path, image, found.bbox[sides.argmax()], found.kps[sides.argmax()])


def tight_crop(portrait: Portrait, style: str, size: int) -> NDArray[np.uint8]:
    """The face alone, `size` px along the longer side."""
    share = STYLES[style]
    if share is None:
        height, width = portrait.image.shape[:2]
        x1, y1, x2, y2 = np.clip(np.rint(portrait.bbox), 0, [width, height, width, height]).astype(int)
        crop = portrait.image[y1:y2, x1:x2]
        scale = size / max(crop.shape[:2])
        return _resized(crop, scale)
    aligned = similarity_transforms(portrait.kps[None])[0]
    centred = np.array([[share, 0, 56 * (1 - share)], [0, share, 56 * (1 - share)]])
    matrix = centred[:, :2] @ aligned
    matrix[:, 2] += centred[:, 2]
    return np.asarray(cv2.warpAffine(portrait.image, matrix * size / 112, (size, size), flags=cv2.INTER_AREA), np.uint8)


def in_large_photo(
    portrait: Portrait, background: NDArray[np.uint8], size: tuple[int, int], short: float, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A photo of `size` (width, height) with the portrait somewhere, its face `short` px; and the face's box."""
    width, height = size
    scale = short / portrait.short
    picture = _resized(portrait.image, scale)
    mirrored = np.concatenate([background, background[:, ::-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]])
    times = (height // mirrored.shape[0] + 1, width // mirrored.shape[1] + 1, 1)
    photo = np.ascontiguousarray(np.tile(mirrored, times)[:height, :width])
    places = np.random.default_rng(seed)
    top, left = (
        int(places.integers(0, whole - part)) for whole, part in zip((height, width), picture.shape, strict=False)
    )
    photo[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return photo, np.asarray(portrait.bbox * scale + np.array([left, top, left, top]), np.float32)


def _resized(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)

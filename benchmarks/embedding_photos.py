"""The photo sets of the embedding benchmark: made of the labelled photos, the same every time."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.threads import in_threads
from testing.paths import SHARED

QUALITY = 92
NOISE = 4.0
"""Grey levels. Without it enlarged photos would be smooth and decode faster than those of a camera."""


@dataclass(frozen=True)
class Counts:
    """Photos of each set; groups are as many as there are."""

    small: int = 160
    mixed: int = 24
    large: int = 8


def photo_sets(folder: Path, counts: Counts = Counts()) -> dict[str, Path]:
    """Name of a set -> the folder with its photos."""
    portraits = every(sorted((SHARED / "data" / "labelled").rglob("*.jpg")), counts.small)
    groups = sorted((SHARED / "data" / "groups").rglob("*.jpg"))
    sizes = np.geomspace(0.06, 24, counts.mixed).tolist()
    return {
        "small": _copied(folder / "small", portraits),
        "mix of 0.06 to 24 MP": _enlarged(folder / "mixed", every(portraits, counts.mixed), sizes),
        "12 MP and more": _enlarged(
            folder / "large", every(portraits, counts.large), np.linspace(12, 24, counts.large).tolist()
        ),
        "groups": _copied(folder / "groups", groups),
    }


def every(paths: Sequence[Path], count: int) -> list[Path]:
    """`count` of them, evenly spread."""
    return [paths[place * len(paths) // count] for place in range(min(count, len(paths)))]


def _copied(folder: Path, paths: Sequence[Path]) -> Path:
    folder.mkdir(parents=True)
    for place, path in enumerate(paths):
        shutil.copyfile(path, folder / f"{place:04d}{path.suffix}")
    return folder


def _enlarged(folder: Path, paths: Sequence[Path], megapixels: Sequence[float]) -> Path:
    """Two neighbours side by side, scaled to `megapixels`, with a camera's noise, as JPEG."""
    folder.mkdir(parents=True)

    def write(place: int) -> None:
        pair = [cv2.imread(str(paths[(place + step) % len(paths)])) for step in (0, 1)]
        write_as_camera(folder / f"{place:04d}.jpg", pair, megapixels[place], seed=place)

    in_threads(write, range(len(megapixels)))
    return folder


def write_as_camera(path: Path, pair: Sequence[NDArray[np.uint8]], megapixels: float, *, seed: int) -> None:
    """Two portraits (BGR) side by side as a JPEG of that size with a camera's noise."""
    height = round((megapixels * 1e6 * 400 / 600) ** 0.5)
    both = np.hstack([cv2.resize(portrait, (300, 400)) for portrait in pair])
    photo = cv2.resize(both, (height * 3 // 2, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(seed).normal(0, NOISE, photo.shape[:2]).astype(np.float32)
    noisy = np.clip(photo + noise[..., None], 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), noisy, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])

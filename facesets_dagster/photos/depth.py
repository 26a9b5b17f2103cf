"""Samples of more than 8 bits, brought to 8: by the bits that a camera or scanner used, not those of the file."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_USED_BITS = (10, 12, 14, 16)
"""What sensors and scanners give; files hold all of them in 16."""
_DARK = 63
"""Upper byte of a sample that uses 14 bits at most."""
_STRIP_PIXELS = 1 << 20


def grey_range(picture: Image.Image) -> tuple[float, float]:
    """Black and white of grey in more than 8 bits: of whole numbers by the bits that are used, else what there is."""
    extremes = [(part.min(), part.max()) for part in (np.asarray(strip) for strip in strips_of(picture))]
    low, high = float(np.min([low for low, _ in extremes])), float(np.max([high for _, high in extremes]))
    if picture.mode.startswith("I") and low >= 0 and 255 < high <= 65535:
        return 0.0, _brightest(high)
    if low >= 0 and high <= 255:
        return 0.0, 255.0 if high > 1 else 1.0
    return low, high


def strips_of(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture in strips of whole rows, so that no step takes much memory."""
    rows = strip_rows(picture.width)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def strip_rows(width: int) -> int:
    """Rows of a strip."""
    return max(_STRIP_PIXELS // max(width, 1), 1)


@dataclass(frozen=True)
class DeepColours:
    """Colours of 16 bits of which fewer are used."""

    samples: NDArray[np.uint16]
    """(h, w, 3 or 4), BGR."""
    white: float

    def write(self, out: NDArray[np.uint8]) -> None:
        """Writes them in 8 bits into an array (h, w, 3), BGR."""
        rows = strip_rows(out.shape[1])
        for top in range(0, len(out), rows):
            out[top : top + rows] = scaled(self.samples[top : top + rows, :, :3].astype(np.float64), 0.0, self.white)


def deep_colours(data: bytes, picture: Image.Image) -> DeepColours | None:
    """The colours of a PNG or TIFF of 16 bits of which 14 or fewer are used; None for any other photo.

    Pillow keeps the upper byte of colours, which of 12 bits leaves black. `picture`: the same bytes, loaded.
    """
    import cv2

    if picture.format not in ("PNG", "TIFF") or picture.mode not in ("RGB", "RGBA"):
        return None
    middle = picture.crop((0, picture.height // 2, picture.width, picture.height // 2 + 1))  # enough for nearly all
    if any(np.asarray(part.getextrema())[:3].max() > _DARK for part in (middle, picture)):
        return None
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None or found.dtype != np.uint16 or found.ndim != 3 or found.shape[1::-1] != picture.size:
        return None
    return DeepColours(np.asarray(found, np.uint16), _brightest(float(found[..., :3].max())))


def _brightest(high: float) -> float:
    """White of the fewest bits that hold this value."""
    return next(2.0**bits - 1 for bits in _USED_BITS if high < 2**bits)


def scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """8 bits of values, black at `low`, white at `high`."""
    stretched = (values - low) / max(high - low, 1e-9) * 255
    return np.rint(stretched).clip(0, 255).astype(np.uint8)

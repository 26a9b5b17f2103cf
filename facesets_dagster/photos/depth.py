"""Samples of more than 8 bits, brought to 8: by the bits that a camera or scanner used, not those of the file."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_USED_BITS = (10, 12, 14, 16)
"""What sensors and scanners give; files hold all of them in 16."""
_DARK = 63
"""Upper byte of a sample that uses 14 bits at most."""


def eight_bit(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits by the upper 8 of the bits that are used, other ranges stretched from black to white."""
    values = np.asarray(picture).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if picture.mode.startswith("I") and low >= 0 and 255 < high <= 65535:
        low, high = 0.0, _brightest(high)
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0 if high > 1 else 1.0
    return Image.fromarray(_scaled(values, low, high))


def deep_colours(data: bytes, picture: Image.Image) -> Image.Image | None:
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
    high = _brightest(float(found[..., :3].max()))
    return Image.fromarray(np.ascontiguousarray(_scaled(found[..., 2::-1].astype(np.float64), 0.0, high)))


def _brightest(high: float) -> float:
    """White of the fewest bits that hold this value."""
    return next(2.0**bits - 1 for bits in _USED_BITS if high < 2**bits)


def _scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (values - low) / max(high - low, 1e-9) * 255
    return np.rint(scaled).clip(0, 255).astype(np.uint8)

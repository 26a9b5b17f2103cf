"""Which pixels of a damaged photo were never decoded: grey, black, or whatever the memory held, but no photo.

The decoder says it, not a marker in the file: a picture is decoded again on another ground, and what differs was not
written. libjpeg writes what it does not have, in middle grey down to the end.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from facesets_dagster.photos.depth import strips_of

_JPEG_GREY = 128
_JPEG_BLOCK = 18
"""Rows of the tallest block of a JPEG and two more: chroma is blended across the border of blocks."""
_WHITE = 255


class WatchedBytes(io.BytesIO):
    """The bytes of a file, and whether a reader wanted more than there are."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.exhausted = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file."""
        found = super().read(size)
        self.exhausted = self.exhausted or (not found and size is not None and size > 0)
        return found


def undecoded_pixels(
    open_again: Callable[[], ImageFile.ImageFile], picture: Image.Image, *, exhausted: bool
) -> NDArray[np.bool_] | None:
    """(h, w) of a picture as it lies in its file, True where nothing was decoded; None if all was.

    `open_again`: opens the same bytes, no pixel read yet; `picture`: after it was loaded; `exhausted`: the decoder
    wanted more bytes than there are, or refused some.
    """
    if not exhausted and (picture.format in ("JPEG", "MPO", "GIF") or not _has_black_edge(picture)):
        return None
    missing: NDArray[np.bool_] | None
    if picture.format in ("JPEG", "MPO"):
        missing = _grey_end(np.asarray(picture))
    elif picture.format == "GIF":  # its decoder makes a ground of its own; rows come interlaced
        pixels = np.asarray(picture)
        missing = pixels == pixels[-1, -1]
    else:
        missing = _differing(picture, open_again)
    return missing if missing is not None and missing.any() else None


def _has_black_edge(picture: Image.Image) -> bool:
    """Whether the first row or one of the last two is all zeros, as Pillow's ground is; the last rows come last."""
    width, height = picture.size
    return any(
        not np.asarray(picture.crop((0, row, width, row + 1))).any() for row in {0, max(height - 2, 0), height - 1}
    )


def _grey_end(pixels: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """From the row on below which all is middle grey, or of CMYK one colour."""
    last = pixels[-1, -1]
    if last.size < 4 and (last != _JPEG_GREY).any():
        return None
    plain = (pixels == last).reshape(len(pixels), -1).all(axis=1)
    rows = len(pixels) if plain.all() else int(np.argmin(plain[::-1]))
    missing = np.zeros(pixels.shape[:2], bool)
    if rows:
        missing[max(len(pixels) - rows - _JPEG_BLOCK, 0) :] = True
    return missing


def _differing(first: Image.Image, open_again: Callable[[], ImageFile.ImageFile]) -> NDArray[np.bool_] | None:
    """Pixels that are others on a white ground than on black, which Pillow begins with."""
    with open_again() as picture:
        if not picture.tile and picture.format not in ("HEIF", "AVIF", "PNG", "WEBP"):
            return None  # such decoders (ICO, ICNS) put a picture of their own in the place of the ground
        bands = len(picture.getbands())
        picture.im = Image.new(picture.mode, picture.size, _WHITE if bands == 1 else (_WHITE,) * bands).im
        picture.load()
        if (picture.size, picture.mode) != (first.size, first.mode):
            return None
        missing = np.empty((first.height, first.width), np.bool_)
        top = 0
        for before, again in zip(strips_of(first), strips_of(picture), strict=True):
            differs = np.asarray(np.asarray(before) != np.asarray(again), np.bool_)
            missing[top : top + before.height] = differs if differs.ndim == 2 else differs.any(axis=2)
            top += before.height
        return missing

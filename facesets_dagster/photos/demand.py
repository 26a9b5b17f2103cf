"""What decoding a photo takes, by its header: memory, and how many pixels it counts as. Bounds of a file's structure.

The numbers of bytes are peaks of the way that `decode` goes, measured, and rounded up.
"""

import re

from PIL import Image

from facesets_dagster.errors import PhotoError

MOST_SCANS = 100
"""Of a progressive JPEG; encoders write up to about 20. Each costs a pass over all pixels."""
MOST_FRAMES = 10_000
"""Of a file that lists its frames in its header, of which only the first is decoded."""
_OWN_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
"""Bytes of a pixel in Pillow's memory; of other modes 4."""
_PIXELS_OUT, _TURNED = 3, 3
_DEEP = 9
"""Bytes of a pixel of 16 bits that OpenCV decodes beside Pillow."""
_DECODER_BYTES = {"WEBP": 13, "GIF": 8, "HEIF": 16, "AVIF": 16, "JPEG2000": 28, "ICO": 12, "ICNS": 12}
"""What libraries take of their own, bytes a pixel, while they decode."""
_COEFFICIENTS = 6
"""Of progressive JPEGs: bytes a pixel."""
RAW_BYTES, JPEG_XL_BYTES, PSD_BYTES = 24, 24, 20
"""A pixel, of formats that have decoders of their own."""
_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_ALONE = frozenset((0x01, 0xD8))


def require_size(width: int, height: int, max_pixels: int, *, sample_bytes: int = 1, samples: int = 3) -> None:
    """Raises `PhotoError` unless a photo counts as `max_pixels` at most.

    A photo of up to three samples of 8 bits counts as its pixels; more samples (alpha, CMYK) or more bits make it
    count as more, in proportion.
    """
    if width < 1 or height < 1:
        raise PhotoError("unreadable", f"{width} x {height} pixels")
    counted = width * height * max(sample_bytes * samples, 3) // 3
    if counted > max_pixels:
        extra = "" if counted == width * height else f", which count as {counted} by their bits and channels"
        raise PhotoError(
            "too_large", f"{width} x {height} = {width * height} pixels{extra}; at most {max_pixels} are read"
        )


def require_pillow_size(picture: Image.Image, max_pixels: int) -> None:
    """The same for a picture that Pillow has opened."""
    deep = is_deep(picture)
    samples = max(len(picture.getbands()), 3)
    require_size(picture.width, picture.height, max_pixels, sample_bytes=2 if deep else 1, samples=samples)


def is_deep(picture: Image.Image) -> bool:
    """Whether samples have more than 8 bits in the file, whatever Pillow makes of them."""
    raw_modes = [str(part) for tile in getattr(picture, "tile", []) for part in _texts(tile[3])]
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16") or any(";16" in mode for mode in raw_modes)


def _texts(arguments: object) -> list[object]:
    return list(arguments) if isinstance(arguments, tuple) else [arguments]


def plain_jpeg_bytes(picture: Image.Image, *, turned: bool) -> int:
    """Bytes that libjpeg-turbo takes, the pixels included; `turned`: by EXIF."""
    progressive = _COEFFICIENTS if picture.info.get("progressive") else 0
    return picture.width * picture.height * (_PIXELS_OUT + progressive + (_TURNED if turned else 0))


def pillow_bytes(picture: Image.Image, data: bytes) -> int:
    """Bytes that Pillow takes and what follows, the pixels included. `picture`: opened, no pixel read."""
    own = _OWN_BYTES.get(picture.mode, 4)
    deep = _DEEP if is_deep(picture) and picture.format in ("PNG", "TIFF") else 0
    in_decoder = _DECODER_BYTES.get(str(picture.format), _COEFFICIENTS if picture.info.get("progressive") else 0)
    after = max(own + 2, _PIXELS_OUT + _TURNED + deep, in_decoder)
    return picture.width * picture.height * (own + after) + len(data)


def require_sane_structure(picture: Image.Image, data: bytes) -> None:
    """Raises `PhotoError` for more scans or frames than any photo has."""
    if picture.format in ("JPEG", "MPO") and data.count(_SCAN) > MOST_SCANS and _scans(data) > MOST_SCANS:
        raise PhotoError("unreadable", f"a JPEG of more than {MOST_SCANS} scans, which no camera or program writes")
    if picture.format in ("WEBP", "AVIF", "PNG", "MPO"):
        frames = int(getattr(picture, "n_frames", 1))
        if frames > MOST_FRAMES:
            raise PhotoError("unreadable", f"{frames} frames, at most {MOST_FRAMES} are taken for a photo's")


def _scans(data: bytes) -> int:
    """Scans of the first picture of a JPEG: what lies in its segments, or behind it, does not count."""
    found = place = 0
    while (marker := _MARKER.search(data, place)) is not None and found <= MOST_SCANS:
        kind, place = data[marker.end() - 1], marker.end()
        if kind == 0xD9:
            break
        if kind in _ALONE:
            continue
        found += kind == _SCAN[1]
        place += max(int.from_bytes(data[place : place + 2], "big"), 2)
    return found

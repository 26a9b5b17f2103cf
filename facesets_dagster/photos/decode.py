"""Bytes of a photo file to upright BGR pixels, or a `PhotoError` with a stable reason.

The format is found from the content, never from the suffix. Pillow (with pillow-heif) opens everything but PSD/PSB;
psd-tools reads their merged picture (Pillow where psd-tools cannot). Pixels of a plain JPEG come from `plain_jpeg`: the
same pixels, faster. Alpha is composited on white; 16-bit and float samples are scaled to 8 bit.

Truncation: Pillow's switch for damaged files is global, so it is on for good; a photo that decoded but lacks the end
that its format prescribes is flagged.
"""

import contextlib
import ctypes
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.plain_jpeg import plain_jpeg

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff"),
        *(".gif", ".heic", ".heif", ".hif", ".heics", ".avif", ".avifs", ".psd", ".psb", ".ico", ".tga"),
        *(".icns", ".qoi", ".sgi", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)

_MAGIC = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (4, b"ftyp", "HEIF or AVIF"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"8BPS", "PSD"),
)
_UNSUPPORTED_TIFF = frozenset({"webp", "zstd", "lzma", "lerc", "jpeg2000", "jbig"})
"""Compressions of TIFF that Pillow's wheels are built without."""

pillow_heif.register_heif_opener()
# Pillow 13 reads it per decode; it is never toggled, which would not be thread-safe.
ImageFile.LOAD_TRUNCATED_IMAGES = True
warnings.filterwarnings("ignore", module="PIL")


def _silence_libtiff() -> None:
    """Pillow's libtiff prints every odd tag to stderr, hundreds a file; what matters comes back as an error."""
    package = Path(PIL.__file__).parent
    for library in (*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")):
        with contextlib.suppress(OSError, AttributeError):
            tiff = ctypes.CDLL(str(library))
            tiff.TIFFSetWarningHandler(None)
            tiff.TIFFSetErrorHandler(None)


_silence_libtiff()


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo as the detector wants it."""

    image: NDArray[np.uint8]
    """(h, w, 3), BGR, upright, contiguous."""
    format: str
    """`JPEG`, `PSD`, ..."""
    truncated: bool
    """Decoded in part only."""


def is_photo_name(name: str) -> bool:
    """True if a file's suffix is one of a photo format."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def decode_photo(data: bytes, *, max_pixels: int) -> DecodedPhoto:
    """Decodes a photo.

    Raises `PhotoError` and nothing else: `empty`, `not_an_image` (no format's content), `unsupported` (a format or
    compression without a decoder here), `unreadable` (damaged), `too_large`.
    """
    if not data:
        raise PhotoError("empty", "the file has no bytes")
    # For pictures inside containers (ICO, ICNS), whose size no header tells; Pillow refuses at twice this number.
    Image.MAX_IMAGE_PIXELS = max(max_pixels // 2, 1)
    try:
        if data[:4] == b"8BPS":
            return _decode_psd(data, max_pixels)
        return _decode_pillow(data, max_pixels)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        kind = next((name for offset, magic, name in _MAGIC if data[offset:].startswith(magic)), None)
        if kind is None:
            raise PhotoError("not_an_image", "no decoder knows this content") from None
        raise PhotoError("unreadable", f"begins like {kind}, but no decoder makes sense of it") from None
    except Image.DecompressionBombError as error:
        raise PhotoError("too_large", str(error)[:200]) from error
    except MemoryError as error:
        raise PhotoError("too_large", "not enough memory to decode it") from error
    except Exception as error:  # Decoders of damaged files raise whatever their parsers run into; one boundary for all.
        raise PhotoError("unreadable", f"{type(error).__name__}: {str(error)[:200]}") from error


def _decode_pillow(data: bytes, max_pixels: int) -> DecodedPhoto:
    with Image.open(io.BytesIO(data)) as picture:
        _require_size(picture.width, picture.height, max_pixels)
        kind = str(picture.format)
        truncated = _looks_cut_off(data, kind)
        plain = None if truncated else plain_jpeg(data, picture)
        if plain is not None:
            return DecodedPhoto(plain, kind, False)
        try:
            picture.load()
        except OSError:
            if kind == "TIFF" and picture.info.get("compression") in _UNSUPPORTED_TIFF:
                raise PhotoError("unsupported", f"TIFF with {picture.info['compression']} compression") from None
            raise
        ImageOps.exif_transpose(picture, in_place=True)
        return DecodedPhoto(_bgr(picture), kind, truncated)


def _looks_cut_off(data: bytes, kind: str) -> bool:
    """True if the end that the format prescribes is missing."""
    if kind in ("JPEG", "MPO"):
        return b"\xff\xd9" not in data[-65536:]
    if kind == "PNG":
        return b"IEND" not in data[-65536:]
    if kind == "GIF":
        return b"\x3b" not in data[-1024:]
    return False


def _decode_psd(data: bytes, max_pixels: int) -> DecodedPhoto:
    height, width = int.from_bytes(data[14:18], "big"), int.from_bytes(data[18:22], "big")
    _require_size(width, height, max_pixels)
    try:
        picture = _merged_psd(data)
    except Exception:  # psd-tools reads every layer before the merged picture; Pillow needs only that one.
        with Image.open(io.BytesIO(data)) as merged:
            merged.load()
            return DecodedPhoto(_bgr(merged), "PSD", truncated=True)
    return DecodedPhoto(_bgr(picture), "PSB" if data[5] == 2 else "PSD", truncated=False)


def _merged_psd(data: bytes) -> Image.Image:
    from psd_tools import PSDImage

    psd = PSDImage.open(io.BytesIO(data))
    picture: Image.Image | None = psd.topil() if psd.has_preview() else None
    picture = picture or psd.composite()
    if picture is None:
        raise PhotoError("unreadable", "a PSD without a merged picture and without layers to make one of")
    return picture


def _require_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise PhotoError("unreadable", f"{width} x {height} pixels")
    if width * height > max_pixels:
        raise PhotoError("too_large", f"{width} x {height} = {width * height} pixels, at most {max_pixels} are read")


def _bgr(picture: Image.Image) -> NDArray[np.uint8]:
    import cv2

    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _eight_bit(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    rgb = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"), np.uint8)
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """16-bit samples by their upper byte, other ranges stretched from black to white."""
    values = np.asarray(picture).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if picture.mode.startswith("I") and low >= 0 and 255 < high <= 65535:
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0 if high > 1 else 1.0
    scaled = (values - low) / max(high - low, 1e-9) * 255
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8))

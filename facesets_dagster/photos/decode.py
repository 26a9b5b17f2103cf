"""Bytes of a photo file to upright BGR pixels, or a `PhotoError` with a stable reason.

The format is found from the content, never from the suffix. Pillow (with pillow-heif) opens everything but PSD/PSB;
psd-tools reads their merged picture (Pillow where psd-tools cannot). Pixels of a plain JPEG come from `plain_jpeg`: the
same pixels, faster. RAW photos and JPEG XL have modules and optional decoders of their own. Alpha is composited on
white; 16-bit and float samples are scaled to 8 bit.

Damage: Pillow's switch for damaged files is global, so it is on for good; a photo of which the decoder did not get all
is flagged, with the pixels that are none (`damage`). What follows a whole photo in its file is no damage.
"""

import contextlib
import ctypes
import io
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.damage import WatchedBytes, undecoded_pixels
from facesets_dagster.photos.demand import (
    JPEG_XL_BYTES,
    PSD_BYTES,
    pillow_bytes,
    require_pillow_size,
    require_sane_structure,
    require_size,
)
from facesets_dagster.photos.depth import DeepColours, deep_colours, grey_range, scaled, strips_of
from facesets_dagster.photos.formats import HEAD_BYTES, format_of
from facesets_dagster.photos.jpeg_xl import is_upright, open_jpeg_xl, size_of_jpeg_xl
from facesets_dagster.photos.plain_jpeg import (
    ORIENTATION,
    PLAIN_MODES,
    is_turned,
    plain_jpeg,
    upright,
    upright_mask,
)
from facesets_dagster.photos.raw import is_raw, preview_and_orientation
from facesets_dagster.photos.room import OwnMemory, Room

Pixel = TypeVar("Pixel", np.uint8, np.bool_)
OWN_MEMORY = OwnMemory()
_OUT_OF_MEMORY = re.compile(
    r"(out of|insufficient|not enough|cannot allocate|failed to alloc\w*) ?memory|bad_alloc|memory alloc", re.I
)
"""How libraries say that they got no memory, where Python does not raise `MemoryError`."""

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
    undecoded: NDArray[np.bool_] | None = None
    """(h, w), upright: True where nothing was decoded; None = nowhere, as far as it is known."""


def turned(image: NDArray[Pixel], turn: int) -> NDArray[Pixel]:
    """An array (h, w, ...), turned clockwise by 0, 90, 180 or 270 degrees; contiguous."""
    return image if turn % 360 == 0 else np.ascontiguousarray(np.rot90(image, -(turn // 90)))


def turned_photo(photo: DecodedPhoto, turn: int) -> DecodedPhoto:
    """The photo, turned clockwise by 0, 90, 180 or 270 degrees beyond what its EXIF says."""
    undecoded = None if photo.undecoded is None else turned(photo.undecoded, turn)
    return replace(photo, image=turned(photo.image, turn), undecoded=undecoded)


def decode_photo(data: bytes, *, max_pixels: int, room: Room = OWN_MEMORY) -> DecodedPhoto:
    """Decodes a photo; its pixels lie in `room`. Runs may do so by `decoders` alone, which do it in other processes.

    Raises `PhotoError` and nothing else: `empty`, `not_an_image` (no format's content), `unsupported` (a format or
    compression without a decoder here), `unreadable` (damaged), `too_large`, `needs_too_much_memory`.
    """
    if not data:
        raise PhotoError("empty", "the file has no bytes")
    # For pictures inside containers (ICO, ICNS), whose size no header tells; Pillow refuses at twice this number.
    Image.MAX_IMAGE_PIXELS = max(max_pixels // 2, 1)
    try:
        if data[:4] == b"8BPS":
            return _decode_psd(data, max_pixels, room)
        if is_raw(data):
            return _decode_raw(data, max_pixels, room)
        if format_of(data[:HEAD_BYTES]) == "JPEG XL":
            return _decode_jpeg_xl(data, max_pixels, room)
        return _decode_pillow(data, max_pixels, room)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        kind = _begins_like(data)
        if kind is None:
            raise PhotoError("not_an_image", "no decoder knows this content") from None
        raise PhotoError("unreadable", f"begins like {kind}, but no decoder makes sense of it") from None
    except Image.DecompressionBombError as error:
        raise PhotoError("too_large", str(error)[:200]) from error
    except MemoryError as error:
        raise PhotoError("needs_too_much_memory", "not enough memory to decode it") from error
    except Exception as error:  # Decoders of damaged files raise whatever their parsers run into; one boundary for all.
        if _OUT_OF_MEMORY.search(str(error)):
            raise PhotoError("needs_too_much_memory", f"{type(error).__name__}: {str(error)[:200]}") from error
        raise PhotoError("unreadable", f"{type(error).__name__}: {str(error)[:200]}") from error


def _begins_like(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        return "HEIF or AVIF"
    named = {b"BM": "BMP", b"\x89PNG": "PNG", b"\0\0\1\0": "ICO"}
    return format_of(data[:HEAD_BYTES]) or next((name for magic, name in named.items() if data.startswith(magic)), None)


def _decode_pillow(data: bytes, max_pixels: int, room: Room) -> DecodedPhoto:
    watched = WatchedBytes(data)
    with Image.open(watched) as picture:
        require_pillow_size(picture, max_pixels)
        require_sane_structure(picture, data)
        kind = str(picture.format)
        plain = plain_jpeg(data, picture, room)
        if plain is not None:
            return DecodedPhoto(plain, kind, False)
        refused = kind in ("JPEG", "MPO") and picture.mode in PLAIN_MODES
        room.need(pillow_bytes(picture, data))
        watched.exhausted = False  # from here on: while pixels are decoded
        try:
            picture.load()
        except OSError:
            if kind == "TIFF" and picture.info.get("compression") in _UNSUPPORTED_TIFF:
                raise PhotoError("unsupported", f"TIFF with {picture.info['compression']} compression") from None
            raise
        ended = watched.exhausted and kind in ("JPEG", "MPO", "GIF")
        suspect = watched.exhausted or refused
        missing = undecoded_pixels(lambda: Image.open(io.BytesIO(data)), picture, exhausted=suspect)
        orientation = picture.getexif().get(ORIENTATION, 1)
        image = _upright_bgr(deep_colours(data, picture) or picture, orientation, room)
        return _decoded(image, kind, missing, orientation, ended=ended)


def _decoded(
    image: NDArray[np.uint8], kind: str, missing: NDArray[np.bool_] | None, orientation: int, *, ended: bool = False
) -> DecodedPhoto:
    """`missing`: as it lies in the file, to be turned; `ended`: the decoder wanted more, whatever is missing."""
    if missing is None:
        return DecodedPhoto(image, kind, ended)
    if missing.all():
        raise PhotoError("unreadable", "damaged or cut off: not one pixel could be decoded")
    return DecodedPhoto(image, kind, True, upright_mask(missing, orientation))


def _decode_raw(data: bytes, max_pixels: int, room: Room) -> DecodedPhoto:
    found, orientation = preview_and_orientation(data, max_pixels, room)
    if not isinstance(found, bytes):
        return DecodedPhoto(_bgr(Image.fromarray(found), room), "RAW", False)
    photo = _decode_pillow(found, max_pixels, room)
    with Image.open(io.BytesIO(found)) as preview:
        turned = orientation if preview.getexif().get(ORIENTATION) is None else 1  # what it says itself has been done
    missing = None if photo.undecoded is None else upright_mask(photo.undecoded, turned)
    image = upright(photo.image.copy(), turned, room) if is_turned(turned) else photo.image
    return DecodedPhoto(image, "RAW", photo.truncated, missing)


def _decode_jpeg_xl(data: bytes, max_pixels: int, room: Room) -> DecodedPhoto:
    width, height = size_of_jpeg_xl(data)
    require_size(width, height, max_pixels)
    room.need(width * height * JPEG_XL_BYTES)
    with open_jpeg_xl(data) as picture:
        picture.load()
        orientation = 1 if is_upright(picture) else picture.getexif().get(ORIENTATION, 1)
        return DecodedPhoto(_upright_bgr(picture, orientation, room), "JPEG XL", False)


def _decode_psd(data: bytes, max_pixels: int, room: Room) -> DecodedPhoto:
    height, width = int.from_bytes(data[14:18], "big"), int.from_bytes(data[18:22], "big")
    channels, sample_bytes = int.from_bytes(data[12:14], "big"), -(-int.from_bytes(data[22:24], "big") // 8)
    require_size(width, height, max_pixels, sample_bytes=max(sample_bytes, 1), samples=min(max(channels, 3), 5))
    room.need(width * height * PSD_BYTES * max(sample_bytes, 1) + 4 * len(data))
    try:
        picture = _merged_psd(data)
    except Exception:  # psd-tools reads every layer before the merged picture; Pillow needs only that one.
        watched = WatchedBytes(data)
        with Image.open(watched) as merged:
            merged.load()
            open_again = lambda: Image.open(io.BytesIO(data))  # noqa: E731
            missing = undecoded_pixels(open_again, merged, exhausted=watched.exhausted)
            return _decoded(_bgr(merged, room), "PSD", missing, 1)
    return DecodedPhoto(_bgr(picture, room), "PSB" if data[5] == 2 else "PSD", truncated=False)


def _merged_psd(data: bytes) -> Image.Image:
    from psd_tools import PSDImage

    psd = PSDImage.open(io.BytesIO(data))
    picture: Image.Image | None = psd.topil() if psd.has_preview() else None
    picture = picture or psd.composite()
    if picture is None:
        raise PhotoError("unreadable", "a PSD without a merged picture and without layers to make one of")
    return picture


def _upright_bgr(picture: Image.Image | DeepColours, orientation: int, room: Room) -> NDArray[np.uint8]:
    """The pixels, turned as EXIF's `Orientation` says; only what is handed on lies in `room`."""
    turned = is_turned(orientation)
    image = _bgr(picture, OWN_MEMORY if turned else room)
    return upright(image, orientation, room) if turned else image


def _bgr(picture: Image.Image | DeepColours, room: Room) -> NDArray[np.uint8]:
    if isinstance(picture, DeepColours):
        out = room.pixels(*picture.samples.shape[:2])
        picture.write(out)
        return out
    out = room.pixels(picture.height, picture.width)
    grey = grey_range(picture) if picture.mode in ("I", "F") or picture.mode.startswith("I;16") else None
    top = 0
    for strip in strips_of(picture):
        _write_bgr(strip, grey, out[top : top + strip.height])
        top += strip.height
    return out


def _write_bgr(strip: Image.Image, grey: tuple[float, float] | None, out: NDArray[np.uint8]) -> None:
    """`grey`: black and white of samples of more than 8 bits."""
    import cv2

    if grey is not None:
        cv2.cvtColor(scaled(np.asarray(strip).astype(np.float64), *grey), cv2.COLOR_GRAY2BGR, out)
        return
    if strip.has_transparency_data:
        rgba = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    rgb = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"), np.uint8)
    cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR, out)

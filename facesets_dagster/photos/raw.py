"""RAW photos, by LibRaw (the optional `rawpy`): the camera's own full-size JPEG where there is one, else developed.

What belongs here: how a RAW photo is recognised, and its pixels. A TIFF whose first picture is a small one of
something else (NEF, ARW, DNG, ...) is a RAW photo: Pillow would take the thumbnail for the photo.
"""

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.demand import RAW_BYTES, require_size
from facesets_dagster.photos.formats import RAW_DECODER, format_of
from facesets_dagster.photos.room import Room

if TYPE_CHECKING:
    from rawpy import RawPy

_SUB_IFDS, _REDUCED, _MAKE, _DNG_VERSION, _CFA = 0x014A, 0x00FE, 0x010F, 0xC612, 0x828E
_FULL_SIZE = 0.9
"""Of the sensor's longer side: a preview that is smaller is no photo of full size."""
_FLIPS = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's `flip` -> EXIF `Orientation`."""


def is_raw(data: bytes) -> bool:
    """Whether a content is a RAW photo."""
    name = format_of(data[:64])
    if name != "TIFF":
        return name == "RAW"
    if data[8:10] == b"CR":
        return True
    tags = dict(_first_tags(data))
    return _DNG_VERSION in tags or (_MAKE in tags and (_CFA in tags or (_SUB_IFDS in tags and tags.get(_REDUCED) == 1)))


def preview_and_orientation(data: bytes, max_pixels: int, room: Room) -> tuple[bytes | NDArray[np.uint8], int]:
    """The embedded JPEG of full size, or the developed photo (h, w, 3), RGB; and its EXIF `Orientation`.

    Raises `PhotoError`: `unsupported` without `rawpy`, `unreadable`, `too_large`.
    """
    if not RAW_DECODER.installed:
        raise PhotoError("unsupported", f"a RAW photo. {RAW_DECODER.advice}")
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            width, height = raw.sizes.width, raw.sizes.height
            require_size(width, height, max_pixels)
            room.need(width * height * RAW_BYTES)
            preview = _preview(raw, max(width, height))
            if preview is not None:
                return preview, _FLIPS.get(raw.sizes.flip, 1)
            return np.asarray(raw.postprocess(use_camera_wb=True, output_bps=8), np.uint8), 1
    except rawpy.LibRawError as error:
        text = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise PhotoError("unreadable", f"LibRaw: {text[:200]}") from error


def taken_of_raw(stream: BinaryIO) -> str | None:
    """When a RAW photo was taken, as EXIF writes it; None if it does not say or cannot be read here."""
    if not RAW_DECODER.installed:
        return None
    import rawpy

    try:
        with rawpy.imread(stream) as raw:
            taken = raw.other.timestamp
    except rawpy.LibRawError:
        return None
    return None if taken is None or taken.timestamp() <= 0 else str(taken.strftime("%Y:%m:%d %H:%M:%S"))


def _preview(raw: "RawPy", longer: int) -> bytes | None:
    import rawpy

    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if found.format != rawpy.ThumbFormat.JPEG:
        return None
    data = bytes(found.data)
    with Image.open(io.BytesIO(data)) as picture:
        return data if max(picture.size) >= _FULL_SIZE * longer else None


def _first_tags(data: bytes) -> Iterator[tuple[int, int]]:
    """Tag and first value (of integers) of a TIFF's first directory, as far as it is whole."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*"):
        return  # BigTIFF: no camera writes it
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", data, place)
            yield tag, struct.unpack_from(order + ("H" if kind == 3 else "I"), data, place + 8)[0]
    except struct.error:
        return

"""JPEG XL, by the optional `pillow-jxl-plugin`. It decodes a file when it opens it, so the size is read before."""

import io
import struct
from typing import BinaryIO

from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.formats import JPEG_XL_DECODER

_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_TIFF = (b"II*\0", b"MM\0*")
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the number in the header less one."""


def open_jpeg_xl(data: bytes) -> Image.Image:
    """The photo, opened. Raises `PhotoError`: `unsupported` without the plugin, `unreadable` if it is damaged."""
    if not JPEG_XL_DECODER.installed:
        raise PhotoError("unsupported", f"JPEG XL. {JPEG_XL_DECODER.advice}")
    import pillow_jxl  # noqa: F401  registers itself with Pillow

    try:
        return Image.open(io.BytesIO(data), formats=("JXL",))
    except RuntimeError as error:
        raise PhotoError("unreadable", "begins like JPEG XL, but is damaged or cut off") from error


def is_upright(picture: Image.Image) -> bool:
    """Whether the decoder has turned the photo: it turns all but those that were made of a JPEG as they are."""
    return not getattr(picture, "jpeg", False)


def size_of_jpeg_xl(data: bytes) -> tuple[int, int]:
    """Width and height, px, not turned, by the header (ISO/IEC 18181-1, `SizeHeader`).

    Raises `PhotoError` if there is no header.
    """
    stream = _codestream(data) if data.startswith(_CONTAINER) else data
    if stream[:2] != b"\xff\x0a" or len(stream) < 12:
        raise PhotoError("unreadable", "begins like JPEG XL, but is damaged or cut off")
    return _Bits(int.from_bytes(stream[2:12], "little")).size()


def exif_of_jpeg_xl(stream: BinaryIO) -> bytes | None:
    """The EXIF block of a JPEG XL in a container, as Pillow takes it; None where there is none."""
    stream.seek(len(_CONTAINER))
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"Exif":
            block = stream.read(max(length - 8, 0))
            return b"Exif\0\0" + (block if block[:4] in _TIFF else block[4:])  # some leave the offset out
        if length < 8:
            return None  # the last box, or one of more than 4 GB
        stream.seek(length - 8, 1)
    return None


def _codestream(data: bytes) -> bytes:
    """The first bytes of the box that holds the picture."""
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if length == 1 and place + 16 <= len(data):
            (length,), head = struct.unpack_from(">Q", data, place + 8), 16
        if kind in (b"jxlc", b"jxlp"):
            start = place + head + (4 if kind == b"jxlp" else 0)
            return data[start : start + 16]
        if length < head:
            break
        place += length
    return b""


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        found = self._value & ((1 << count) - 1)
        self._value >>= count
        return found

    def size(self) -> tuple[int, int]:
        small = self.take(1)
        height = (self.take(5) + 1) * 8 if small else self._length()
        ratio = self.take(3)
        if ratio:
            wide, high = _RATIOS[ratio - 1]
            return height * wide // high, height
        return ((self.take(5) + 1) * 8 if small else self._length()), height

    def _length(self) -> int:
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1

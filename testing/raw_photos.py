"""RAW photos made of pictures: DNG files with a Bayer pattern, with and without the camera's own JPEG."""

import io
import struct

import numpy as np
from PIL import Image

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}
_BYTE, _ASCII, _SHORT, _LONG, _SRATIONAL = 1, 2, 3, 4, 10
_SRGB_OF_XYZ = (3.2405, -1.5371, -0.4985, -0.9693, 1.8760, 0.0416, 0.0556, -0.2040, 1.0572)

Tag = tuple[int, int, bytes]
"""Number, type, the values as they lie in the file."""


def dng(picture: Image.Image, preview: Image.Image | None = None, *, orientation: int = 1, taken: str = "") -> bytes:
    """A DNG of an RGB picture; `preview` is its embedded JPEG, in the first directory as in NEF, ARW and most DNG."""
    sensor = _bayer(picture)
    raw = [
        _number(254, 0), _number(256, picture.width), _number(257, picture.height), _short(258, 16), _short(259, 1),
        _short(262, 32803), _number(273, 0), _short(277, 1), _number(278, picture.height), _number(279, len(sensor)),
        _short(33421, 2, 2), (33422, _BYTE, bytes((0, 1, 1, 2))), _short(50717, 65535),
    ]  # fmt: skip
    camera = [
        (271, _ASCII, b"Maker\0"), (272, _ASCII, b"Model\0"), _short(274, orientation),
        (50706, _BYTE, bytes((1, 4, 0, 0))), (50708, _ASCII, b"Maker Model\0"), _short(50778, 21),
        (50721, _SRATIONAL, b"".join(struct.pack("<ii", round(value * 10_000), 10_000) for value in _SRGB_OF_XYZ)),
    ]  # fmt: skip
    if taken:
        camera.append((306, _ASCII, taken.encode() + b"\0"))
    if preview is None:
        return _file([([*raw, *camera], sensor)])
    stream = io.BytesIO()
    preview.save(stream, "JPEG", quality=95)
    small = [
        _number(254, 1), _number(256, preview.width), _number(257, preview.height), _short(258, 8, 8, 8),
        _short(259, 7), _short(262, 6), _number(273, 0), _short(277, 3), _number(278, preview.height),
        _number(279, len(stream.getvalue())), _number(330, 0),
    ]  # fmt: skip
    return _file([([*small, *camera], stream.getvalue()), (raw, sensor)])


def _bayer(picture: Image.Image) -> bytes:
    """Linear samples of 16 bits: red, green over green, blue."""
    linear = (np.asarray(picture.convert("RGB")) / 255.0) ** 2.2
    sensor = np.empty(linear.shape[:2])
    for y, x, band in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        sensor[y::2, x::2] = linear[y::2, x::2, band]
    return np.rint(sensor * 65535).astype("<u2").tobytes()


def _number(tag: int, value: int) -> Tag:
    return tag, _LONG, struct.pack("<I", value)


def _short(tag: int, *values: int) -> Tag:
    return tag, _SHORT, struct.pack(f"<{len(values)}H", *values)


def _file(directories: list[tuple[list[Tag], bytes]]) -> bytes:
    """Directories with their pictures; the second one is the first one's `SubIFDs` (330)."""
    place, parts, starts = 8, [], []
    for tags, pixels in directories:
        longer = sum(len(data) + len(data) % 2 for _, _, data in tags if len(data) > 4)
        starts.append((place, place + 2 + 12 * len(tags) + 4, place + 2 + 12 * len(tags) + 4 + longer))
        place = starts[-1][2] + len(pixels) + len(pixels) % 2
    for (tags, pixels), (_, values, picture) in zip(directories, starts, strict=True):
        links = {273: picture, 330: starts[-1][0]}
        entries, behind = b"", b""
        for tag, kind, data in sorted(tags):
            count = len(data) // _SIZES[kind]
            if tag in links:
                data = struct.pack("<I", links[tag])
            if len(data) > 4:
                entries += struct.pack("<HHII", tag, kind, count, values + len(behind))
                behind += data + b"\0" * (len(data) % 2)
            else:
                entries += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
        parts.append(struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + behind + pixels + b"\0" * (len(pixels) % 2))
    return b"II*\0" + struct.pack("<I", 8) + b"".join(parts)

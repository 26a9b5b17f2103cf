"""Photos that were damaged on purpose: the same ones at every call, of every format that is read.

`mutant(number)` is a function of its number alone, so that a failure is made again by it.
"""

import io
import random
import struct
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pillow_jxl  # noqa: F401  registers itself with Pillow
from PIL import Image

from facesets_dagster.sample.buckets import heic_bytes, psd_bytes
from testing.raw_photos import dng

FORMATS = (
    *("jpg", "progressive.jpg", "exif.jpg", "png", "16.png", "palette.png", "webp", "tif", "lzw.tif"),
    *("bmp", "gif", "jp2", "heic", "avif", "psd", "dng", "jxl", "tga", "ppm"),
)
_SIDE = 96
_WORDS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00", b"\x00\x00\xff\xff")
"""In the place of a length, a count or a size, whatever the order of the bytes."""


def mutant(number: int) -> tuple[str, bytes]:
    """The name and the bytes of the mutant of this number."""
    rng = random.Random(f"mutant {number}")
    kind = FORMATS[number % len(FORMATS)]
    data = bytearray(_sound(kind))
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        data = rng.choice(_DAMAGES)(data, rng)
    return f"{number:05d}.{kind}", bytes(data)


def sound(kind: str) -> bytes:
    """The photo of a format before it is damaged."""
    return _sound(kind)


def _truncated(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _flipped(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 3, 30))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _head_flipped(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 3, 10))):
        if data:
            data[rng.randrange(min(len(data), 200))] = rng.randrange(256)
    return data


def _new_number(data: bytearray, rng: random.Random) -> bytearray:
    place = rng.randrange(max(min(len(data), 600) - 4, 1))
    data[place : place + 4] = rng.choice((*_WORDS, struct.pack(">I", rng.getrandbits(32)), rng.randbytes(4)))
    return data


def _zeroed(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    length = min(rng.choice((16, 512, 4096)), len(data) - start)
    data[start : start + length] = bytes(length)
    return data


def _repeated(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start : start + 400] * rng.choice((2, 50)) + data[start:]


def _cut_out(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 4, 300)) :]


def _of_two(data: bytearray, rng: random.Random) -> bytearray:
    other = _sound(rng.choice(FORMATS))
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def _text_in_it(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    text = rng.choice((b"<script>alert(1)</script>", b"%n%s%x" * 40, b"\0" * 64, "\u202e\U0001f600".encode() * 20))
    return data[:start] + text + data[start:]


def _other_start(data: bytearray, rng: random.Random) -> bytearray:
    return bytearray(_sound(rng.choice(FORMATS))[: rng.choice((4, 12, 40))]) + data[40:]


_DAMAGES: Sequence[Callable[[bytearray, random.Random], bytearray]] = (
    *(_truncated, _flipped, _head_flipped, _new_number, _zeroed, _repeated, _cut_out, _of_two, _text_in_it),
    _other_start,
)


@cache
def _sound(kind: str) -> bytes:
    pixels = np.random.default_rng(7).integers(0, 256, (_SIDE // 8, _SIDE // 8, 3)).astype(np.uint8)
    picture = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    if kind == "heic":
        return heic_bytes(np.asarray(picture))
    if kind == "psd":
        return psd_bytes(np.asarray(picture))
    if kind == "dng":
        return dng(picture, picture)
    suffix, how = kind.rpartition(".")[2], dict[str, object]()
    if kind == "16.png":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if kind == "palette.png":
        picture = picture.quantize(16)
    if kind == "exif.jpg":
        exif = Image.Exif()
        exif[0x0112], exif[0x0132] = 6, "2020:01:02 03:04:05"
        how["exif"] = exif.tobytes()
    if kind == "progressive.jpg":
        how["progressive"] = True
    if kind == "lzw.tif":
        how["compression"] = "tiff_lzw"
    stream = io.BytesIO()
    picture.save(stream, _NAMES.get(suffix, suffix.upper()), **how)  # type: ignore[arg-type]
    return stream.getvalue()


_NAMES = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}

"""Files that are small and cost a decoder much, made for tests and benchmarks."""

import io
import struct
import zlib

from PIL import Image

_BITS = {"grey": 0, "colour": 2, "palette": 3, "alpha": 6}
_SAMPLES = {"grey": 1, "colour": 3, "palette": 1, "alpha": 4}


def png_bomb(side: int, kind: str, bits: int, *, transparent: bool = False, rows: int | None = None) -> bytes:
    """A black PNG of side x side pixels. `kind`: `grey`, `colour`, `palette`, `alpha`; `transparent`: a chunk says so.

    `rows`: as many are in the file, fewer than its header says.
    """
    row = bytes(1 + (side * _SAMPLES[kind] * bits + 7) // 8)
    deflate = zlib.compressobj(9)
    pixels = b"".join([*(deflate.compress(row) for _ in range(side if rows is None else rows)), deflate.flush()])
    header = struct.pack(">IIBBBBB", side, side, bits, _BITS[kind], 0, 0, 0)
    chunks = [(b"IHDR", header)]
    chunks += [(b"PLTE", bytes(6))] if kind == "palette" else []
    chunks += [(b"tRNS", bytes(1 if kind == "palette" else 2))] if transparent else []
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, [*chunks, (b"IDAT", pixels), (b"IEND", b"")]))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def jpeg_of_scans(scans: int, side: int = 64) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are so many."""
    stream = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    places = [place for place in range(len(data) - 1) if data[place : place + 2] == b"\xff\xda"]
    last = data[places[-1] : -2]
    return data[:-2] + last * (scans - len(places)) + data[-2:]

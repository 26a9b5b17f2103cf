"""`DateTimeOriginal` out of a photo's header, as the text that stands there. No pixel is decoded.

What the text means, and whether to believe it, is `photos.dates`.
"""

from typing import BinaryIO

from PIL import ExifTags, Image, PngImagePlugin, PsdImagePlugin

import facesets_dagster.photos.decode  # noqa: F401  teaches Pillow HEIC, and silences it about odd files
from facesets_dagster.photos.formats import HEAD_BYTES, format_of
from facesets_dagster.photos.jpeg_xl import exif_of_jpeg_xl
from facesets_dagster.photos.raw import taken_of_raw

_PSD_EXIF = 1058
"""The image resource of a PSD that holds its EXIF block."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_taken(stream: BinaryIO, *, max_pixels: int) -> str | None:
    """The text of EXIF `DateTimeOriginal`; None if there is none, or nothing that can be read.

    Photos with more than `max_pixels` are refused here as they are by the decoder.
    """
    Image.MAX_IMAGE_PIXELS = max(max_pixels // 2, 1)  # Pillow refuses at twice this number
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    try:
        if format_of(head) == "RAW":  # which Pillow does not open; it does those that are TIFFs
            return taken_of_raw(stream)
        if format_of(head) == "JPEG XL":
            found = Image.Exif()
            found.load(exif_of_jpeg_xl(stream) or b"")
        else:
            with Image.open(stream) as picture:
                found = _exif(picture, stream)
                found.get_ifd(ExifTags.IFD.Exif)
        value = found.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    except Exception:  # A damaged header raises whatever its parser runs into; such a photo is undated, never an error.
        return None
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") or None if isinstance(value, str) else None


def _exif(picture: Image.Image, stream: BinaryIO) -> Image.Exif:
    found = Image.Exif()
    if isinstance(picture, PngImagePlugin.PngImageFile):
        block = _png_block(stream)
        if block is None:  # ImageMagick's way, a text; the class's own method would decode the pixels to look for more
            return Image.Image.getexif(picture)
        found.load(block)
    elif isinstance(picture, PsdImagePlugin.PsdImageFile):
        for number, _, data in picture.resources:
            if number == _PSD_EXIF:
                found.load(data)
    else:
        return picture.getexif()
    return found


def _png_block(stream: BinaryIO) -> bytes | None:
    """The chunk `eXIf`, which may stand behind the pixels; those are passed over."""
    stream.seek(len(_PNG_SIGNATURE))
    while len(head := stream.read(8)) == 8 and head[4:] != b"IEND":
        size = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            return b"Exif\0\0" + stream.read(size)
        stream.seek(size + 4, 1)
    return None

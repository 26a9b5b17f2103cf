"""What a decoder did not get is known, pixel by pixel; what follows a whole photo in its file is no damage."""

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import DecodedPhoto, decode_photo
from testing.raw_photos import dng

LIMIT = 10_000_000
VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(255)) * 400


def scene(width: int = 320, height: int = 240) -> Image.Image:
    """No pixel of it is black, white or the grey of a decoder."""
    rng = np.random.default_rng(width)
    y, x = np.mgrid[:height, :width]
    waves = 40 + 20 * np.sin(x / 9) + 20 * np.cos(y / 7) + rng.integers(0, 20, (height, width))
    return Image.fromarray(np.stack([waves, waves + 20, waves + 10], axis=-1).astype(np.uint8))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def decoded(data: bytes) -> DecodedPhoto:
    return decode_photo(data, max_pixels=LIMIT)


def with_thumbnail(photo: bytes, thumbnail: bytes) -> bytes:
    """A JPEG with a smaller one, end marker and all, in its EXIF block."""
    tiff = b"II*\0" + struct.pack("<IHIH", 8, 0, 14, 2) + struct.pack("<HHII", 0x201, 4, 1, 44)
    tiff += struct.pack("<HHII", 0x202, 4, 1, len(thumbnail)) + struct.pack("<I", 0) + thumbnail
    segment = b"Exif\0\0" + tiff
    return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + photo[2:]


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "GIF", "BMP"])
def test_what_follows_a_whole_photo_is_no_damage(kind: str) -> None:
    data = encoded(scene(), kind)
    plain, moving = decoded(data), decoded(data + VIDEO)
    assert not moving.truncated
    assert moving.undecoded is None
    assert np.array_equal(moving.image, plain.image)


ROWS = ("JPEG", "PNG", "TIFF", "BMP", "PPM", "TGA", "GIF")


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("share", [0.35, 0.62, 0.9])
def test_what_is_told_as_decoded_is_the_photo_and_the_rest_is_told(kind: str, share: float) -> None:
    data = encoded(scene(), kind, **({"quality": 92} if kind == "JPEG" else {}))
    whole, cut = decoded(data).image, decoded(data[: int(len(data) * share)])
    assert cut.truncated
    assert cut.undecoded is not None
    assert cut.undecoded.shape == whole.shape[:2]
    assert np.array_equal(cut.image[~cut.undecoded], whole[~cut.undecoded])
    assert 0.8 * (1 - share) - 0.1 <= cut.undecoded.mean() <= (1 - share) + 0.15


def test_a_cut_jpeg_is_told_although_its_thumbnail_has_an_end() -> None:
    photo, thumbnail = encoded(scene(), "JPEG", quality=90), encoded(scene(80, 60), "JPEG")
    data = with_thumbnail(photo, thumbnail)
    assert not decoded(data).truncated
    cut = decoded(data[: len(thumbnail) + 60 + len(photo) // 2])
    assert cut.truncated
    assert cut.undecoded is not None
    assert 0.3 < cut.undecoded.mean() < 0.7


def test_a_cut_jpeg_to_which_an_end_was_put_is_cut_too() -> None:
    data = encoded(scene(), "JPEG", quality=90)
    cut = decoded(data[: len(data) // 2] + b"\xff\xd9")
    assert cut.truncated
    assert cut.undecoded is not None
    assert cut.undecoded[-1].all()
    assert not cut.undecoded[0].any()


def test_a_jpeg_without_its_last_two_bytes_has_all_its_rows() -> None:
    photo = decoded(encoded(scene(), "JPEG")[:-2])
    assert photo.undecoded is None
    assert np.array_equal(photo.image, decoded(encoded(scene(), "JPEG")).image)


def test_a_png_without_its_last_chunk_is_whole() -> None:
    photo = decoded(encoded(scene(), "PNG")[:-12])
    assert not photo.truncated


def test_an_interlaced_png_is_known_by_the_pixel() -> None:
    pixels = np.asarray(scene())
    data = interlaced(pixels)
    assert not decoded(data).truncated
    cut = decoded(data[: len(data) * 3 // 4])
    assert cut.undecoded is not None
    assert 0.1 < cut.undecoded.mean() < 0.5
    assert np.array_equal(cut.image[~cut.undecoded], pixels[..., ::-1][~cut.undecoded])


def interlaced(pixels: NDArray[np.uint8]) -> bytes:
    """An Adam7 PNG, stored; Pillow writes none."""
    import zlib

    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(b"\0" + row.tobytes() for y, x, down, right in passes for row in pixels[y::down, x::right])
    height, width = pixels.shape[:2]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)),
        (b"IDAT", zlib.compress(rows, 0)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "WEBP", "JXL", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_half_a_photo_of_a_format_that_is_decoded_whole_is_not_usable(kind: str, share: float) -> None:
    import pillow_jxl  # noqa: F401

    data = encoded(scene(), kind)
    assert not decoded(data).truncated
    with pytest.raises(PhotoError) as caught:
        decoded(data[: int(len(data) * share)])
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_is_missing_is_turned_with_the_photo(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(scene(), kind, exif=exif, **({"quality": 92} if kind == "JPEG" else {}))
    whole, cut = decoded(data), decoded(data[: len(data) * 2 // 3])
    assert cut.undecoded is not None
    assert cut.image.shape == whole.image.shape
    assert np.array_equal(cut.image[~cut.undecoded], whole.image[~cut.undecoded])


@pytest.mark.parametrize("colour", ["black", "white", (128, 128, 128)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "HEIF", "GIF"])
def test_a_whole_photo_of_one_colour_is_whole(kind: str, colour: object) -> None:
    photo = decoded(encoded(Image.new("RGB", (64, 48), colour), kind))  # type: ignore[arg-type]
    assert not photo.truncated


def test_a_transparent_edge_is_no_damage() -> None:
    picture = scene().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 120, 320, 240))
    assert not decoded(encoded(picture, "PNG")).truncated


def test_a_cut_preview_of_a_raw_photo_is_cut() -> None:
    preview = encoded(scene(), "JPEG", quality=95)
    data = dng(scene(), scene())
    at = data.index(preview[:20])
    cut = decoded(
        data[: at + len(preview) // 2]
        + b"\xff\xd9"
        + bytes(len(preview) - len(preview) // 2 - 2)
        + data[at + len(preview) :]
    )
    assert cut.format == "RAW"
    assert cut.truncated

"""RAW photos, JPEG XL, and samples of 10 to 16 bits become the same upright picture."""

import io

import numpy as np
import pytest
from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos import formats
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.photos.exif import read_taken
from facesets_dagster.photos.jpeg_xl import size_of_jpeg_xl
from facesets_dagster.photos.raw import taken_of_raw
from testing.raw_photos import dng

LIMIT = 10_000_000
RED, GREEN, BLUE, GREY = (220, 30, 40), (30, 200, 50), (40, 50, 210), (128, 128, 128)


def quadrants(width: int = 192, height: int = 128) -> Image.Image:
    """Red, green over blue, grey."""
    picture = Image.new("RGB", (width, height))
    for colour, x, y in ((RED, 0, 0), (GREEN, 1, 0), (BLUE, 0, 1), (GREY, 1, 1)):
        picture.paste(colour, (x * width // 2, y * height // 2, (x + 1) * width // 2, (y + 1) * height // 2))
    return picture


def corners(data: bytes) -> list[list[int]]:
    """RGB in the middle of the four quadrants."""
    image = decode_photo(data, max_pixels=LIMIT).image
    height, width = image.shape[:2]
    return [image[height * y // 4, width * x // 4, ::-1].tolist() for y in (1, 3) for x in (1, 3)]


def far(found: list[list[int]], wanted: list[tuple[int, int, int]]) -> int:
    return int(np.abs(np.array(found) - np.array(wanted)).max())


TURNED = {
    1: [RED, GREEN, BLUE, GREY],
    3: [GREY, BLUE, GREEN, RED],
    6: [BLUE, RED, GREY, GREEN],
    8: [GREEN, GREY, RED, BLUE],
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("preview", [None, (192, 128), (60, 40)], ids=["none", "of full size", "small"])
def test_a_raw_photo_is_the_cameras_jpeg_if_that_is_whole_sized_and_developed_otherwise(
    orientation: int, preview: tuple[int, int] | None
) -> None:
    data = dng(quadrants(), quadrants(*preview) if preview else None, orientation=orientation)
    photo = decode_photo(data, max_pixels=LIMIT)
    assert photo.format == "RAW"
    assert sorted(photo.image.shape[:2]) == [128, 192]
    assert (photo.image.shape[0] > photo.image.shape[1]) == (orientation in (6, 8))
    assert far(corners(data), TURNED[orientation]) <= (4 if preview == (192, 128) else 60)


def test_a_raw_photo_without_the_decoder_is_unsupported_and_never_its_thumbnail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = dng(quadrants(), quadrants(60, 40))
    monkeypatch.setattr(formats, "_installed", lambda module: False)
    with pytest.raises(PhotoError, match="make setup") as caught:
        decode_photo(data, max_pixels=LIMIT)
    assert caught.value.reason == "unsupported"


def test_limits_and_damage_of_raw_photos() -> None:
    data = dng(quadrants())
    with pytest.raises(PhotoError, match="at most 1000") as caught:
        decode_photo(data, max_pixels=1000)
    assert caught.value.reason == "too_large"
    with pytest.raises(PhotoError, match="LibRaw") as caught:
        decode_photo(data[:600], max_pixels=LIMIT)
    assert caught.value.reason == "unreadable"


def jxl(picture: Image.Image, **options: object) -> bytes:
    import pillow_jxl  # noqa: F401

    stream = io.BytesIO()
    picture.save(stream, "JXL", **options)
    return stream.getvalue()


@pytest.mark.parametrize("size", [(192, 128), (64, 64), (300, 200), (160, 90), (33, 57), (1000, 3)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(size: tuple[int, int]) -> None:
    for options in ({}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}):
        data = jxl(quadrants(*size), **options)
        assert size_of_jpeg_xl(data) == size
        with pytest.raises(PhotoError, match=f"{size[0]} x {size[1]}") as caught:
            decode_photo(data, max_pixels=size[0] * size[1] - 1)
        assert caught.value.reason == "too_large"


def test_a_jpeg_xl_is_read_and_one_of_a_turned_jpeg_comes_upright() -> None:
    assert far(corners(jxl(quadrants(), lossless=True)), [RED, GREEN, BLUE, GREY]) == 0
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    quadrants().save(stream, "JPEG", exif=exif, quality=95)
    import pillow_jxl

    again = pillow_jxl.Encoder(mode="RGB", lossless=True, num_threads=1)
    data = again(stream.getvalue(), 192, 128, jpeg_encode=True, exif=None, jumb=None, xmp=None)
    assert far(corners(data), TURNED[6]) <= 8


def test_jpeg_xl_without_the_decoder_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jxl(quadrants())
    monkeypatch.setattr(formats, "_installed", lambda module: False)
    with pytest.raises(PhotoError, match=r"facesets-dagster\[jxl\]") as caught:
        decode_photo(data, max_pixels=LIMIT)
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_any_bits_in_sixteen_is_as_bright(kind: str, bits: int) -> None:
    ramp = np.tile(np.linspace(0, 1, 64), (32, 1))
    stream = io.BytesIO()
    Image.fromarray(np.rint(ramp * (2**bits - 1)).astype(np.uint16)).save(stream, kind)
    image = decode_photo(stream.getvalue(), max_pixels=LIMIT).image
    assert np.abs(image[0, :, 1].astype(int) - np.linspace(0, 255, 64)).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_colours_of_any_bits_in_sixteen_are_as_bright(suffix: str, bits: int) -> None:
    import cv2

    colours = np.asarray(quadrants()).astype(np.float64) / 255
    samples = np.rint(colours * (2**bits - 1)).astype(np.uint16)[..., ::-1]
    samples[0, 0] = 2**bits - 1
    data = cv2.imencode(suffix, samples)[1].tobytes()
    assert far(corners(data), [RED, GREEN, BLUE, GREY]) <= 1


def test_raw_photos_and_jpeg_xl_say_when_they_were_taken() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2013:05:04 10:11:12"
    for options in ({"exif": exif.tobytes()}, {}):
        taken = read_taken(io.BytesIO(jxl(quadrants(), **options)), max_pixels=LIMIT)
        assert taken == ("2013:05:04 10:11:12" if options else None)
    assert taken_of_raw(io.BytesIO(dng(quadrants(), taken="2009:08:07 06:05:04"))) == "2009:08:07 06:05:04"
    assert taken_of_raw(io.BytesIO(dng(quadrants()))) is None
    assert taken_of_raw(io.BytesIO(b"FUJIFILMCCD-RAW 0201" + bytes(99))) is None

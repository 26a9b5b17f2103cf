"""Every format becomes the same upright picture, and damaged bytes raise `PhotoError` and nothing else."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from psd_tools import PSDImage

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import decode_photo
from testing.odd_formats import REFUSED, TRUNCATED

LIMIT = 1_000_000
RED, GREEN, BLUE, GREY = (220, 30, 40), (30, 200, 50), (40, 50, 210), (128, 128, 128)


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Red, green over blue, grey."""
    picture = Image.new("RGB", (width, height))
    for colour, x, y in ((RED, 0, 0), (GREEN, 1, 0), (BLUE, 0, 1), (GREY, 1, 1)):
        picture.paste(colour, (x * width // 2, y * height // 2, (x + 1) * width // 2, (y + 1) * height // 2))
    return picture


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def corners(data: bytes) -> list[tuple[int, ...]]:
    """RGB in the middle of the four quadrants."""
    image = decode_photo(data, max_pixels=LIMIT).image
    assert image.flags["C_CONTIGUOUS"]
    assert image.dtype == np.uint8
    height, width = image.shape[:2]
    return [tuple(int(value) for value in image[height * y // 4, width * x // 4, ::-1]) for y in (1, 3) for x in (1, 3)]


def psd(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    PSDImage.frompil(picture).save(buffer)
    return buffer.getvalue()


FORMATS = {
    "JPEG": lambda picture: encoded(picture, "JPEG", quality=95),
    "PNG": lambda picture: encoded(picture, "PNG"),
    "WEBP": lambda picture: encoded(picture, "WEBP", lossless=True),
    "BMP": lambda picture: encoded(picture, "BMP"),
    "TIFF": lambda picture: encoded(picture, "TIFF", compression="tiff_lzw"),
    "GIF": lambda picture: encoded(picture, "GIF"),
    "HEIF": lambda picture: encoded(picture, "HEIF", quality=95),
    "AVIF": lambda picture: encoded(picture, "AVIF", quality=95),
    "PSD": psd,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_picture(kind: str) -> None:
    data = FORMATS[kind](quadrants())
    photo = decode_photo(data, max_pixels=LIMIT)
    assert (photo.format, photo.truncated, photo.image.shape) == (kind, False, (64, 96, 3))
    assert np.abs(np.array(corners(data)) - np.array([RED, GREEN, BLUE, GREY])).max() <= 8


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, GREY]),
        (2, [GREEN, RED, GREY, BLUE]),
        (3, [GREY, BLUE, GREEN, RED]),
        (4, [BLUE, GREY, RED, GREEN]),
        (5, [RED, BLUE, GREEN, GREY]),
        (6, [BLUE, RED, GREY, GREEN]),
        (7, [GREY, GREEN, BLUE, RED]),
        (8, [GREEN, GREY, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_photos_come_upright_by_exif(kind: str, orientation: int, expected: list[tuple[int, ...]]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(quadrants(), kind, exif=exif, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))
    shape = decode_photo(data, max_pixels=LIMIT).image.shape
    assert shape == ((96, 64, 3) if orientation >= 5 else (64, 96, 3))
    assert np.abs(np.array(corners(data)) - np.array(expected)).max() <= 12


def test_cmyk_and_greyscale_become_colours() -> None:
    assert np.abs(np.array(corners(encoded(quadrants().convert("CMYK"), "TIFF"))) - [RED, GREEN, BLUE, GREY]).max() <= 8
    grey = corners(encoded(quadrants().convert("L"), "PNG"))
    assert all(red == green == blue for red, green, blue in grey)


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (32, 1))
    image = decode_photo(encoded(Image.fromarray(ramp), "PNG"), max_pixels=LIMIT).image
    assert np.abs(image[0, :, 0].astype(int) - np.linspace(0, 255, 64)).max() <= 1


def test_transparent_pixels_are_white() -> None:
    picture = quadrants().convert("RGBA")
    picture.putalpha(0)
    assert corners(encoded(picture, "PNG")) == [(255, 255, 255)] * 4


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (GREEN, RED)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert corners(data) == [GREEN] * 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_photo_is_used_and_flagged(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    photo = decode_photo(data[: len(data) * 2 // 3], max_pixels=LIMIT)
    assert photo.truncated
    whole = decode_photo(data, max_pixels=LIMIT)
    assert not whole.truncated
    assert np.array_equal(photo.image[:60], whole.image[:60])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"just a text, whatever its name says", "not_an_image"),
        (b"\xff\xd8\xff\xe0 not really", "unreadable"),
        (b"\x89PNG\r\n\x1a\n not really", "unreadable"),
        (b"\0\0\0\x18ftypheic not really", "unreadable"),
        (b"8BPS\0\1 not really", "unreadable"),
        (encoded(Image.new("L", (1001, 1000)), "PNG"), "too_large"),
        (encoded(Image.new("L", (1001, 1000)), "HEIF"), "too_large"),
    ],
    ids=["empty", "text", "jpeg", "png", "heic", "psd", "large png", "large heic"],
)
def test_what_cannot_be_used_has_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, max_pixels=LIMIT)
    assert caught.value.reason == reason
    assert caught.value.detail


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    header = bytearray(psd(Image.new("RGB", (4, 4))))
    header[14:22] = (30_000).to_bytes(4, "big") * 2
    with pytest.raises(PhotoError, match="30000 x 30000") as caught:
        decode_photo(bytes(header), max_pixels=300_000_000)
    assert caught.value.reason == "too_large"


@settings(max_examples=150)
@given(
    kind=st.sampled_from(sorted(FORMATS)),
    cut=st.integers(0, 400),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
)
def test_damaged_bytes_raise_nothing_but_a_photo_error(kind: str, cut: int, changes: list[tuple[float, int]]) -> None:
    data = bytearray(FORMATS[kind](quadrants()))
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    try:
        image = decode_photo(bytes(data[: max(len(data) - cut, 0)]), max_pixels=LIMIT).image
    except PhotoError:
        return
    assert image.shape[0] * image.shape[1] <= LIMIT


def test_the_shared_formats_are_read_or_refused_for_the_right_reason(shared) -> None:
    root, found, truncated = shared / "data" / "formats", {}, set()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(root))
            try:
                if decode_photo(path.read_bytes(), max_pixels=300_000_000).truncated:
                    truncated.add(name)
            except PhotoError as error:
                found[name] = error.reason
    assert found == REFUSED
    assert truncated == TRUNCATED

"""The fast way through a JPEG gives the pixels of the careful way, and steps aside for odd files."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos import decode
from facesets_dagster.photos.decode import OWN_MEMORY, decode_photo
from facesets_dagster.photos.plain_jpeg import plain_jpeg

LIMIT = 100_000_000


def picture(mode: str = "RGB") -> Image.Image:
    """Smooth colours with noise, sides that no block size divides."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:61, :93]
    colours = np.stack([x * 2, y * 3, (x + y)], axis=-1) + rng.normal(0, 12, (61, 93, 3))
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8)).convert(mode)


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 88, **options})
    return buffer.getvalue()


def fast(data: bytes) -> NDArray[np.uint8] | None:
    with Image.open(io.BytesIO(data)) as opened:
        return plain_jpeg(data, opened, OWN_MEMORY)


def careful(data: bytes, monkeypatch: pytest.MonkeyPatch) -> decode.DecodedPhoto | str:
    with monkeypatch.context() as patch:
        patch.setattr(decode, "plain_jpeg", lambda *_: None)
        return outcome(data)


def outcome(data: bytes) -> decode.DecodedPhoto | str:
    try:
        return decode_photo(data, max_pixels=LIMIT)
    except PhotoError as error:
        return error.reason


def check_same(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, found = careful(data, monkeypatch), outcome(data)
    if isinstance(wanted, str) or isinstance(found, str):
        assert wanted == found
        return
    assert (found.format, found.truncated) == (wanted.format, wanted.truncated)
    assert found.image.flags["C_CONTIGUOUS"]
    assert np.array_equal(found.image, wanted.image)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 20}]
)
def test_pixels_are_those_of_pillow(mode: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg(picture(mode), **options)
    assert fast(data) is not None
    check_same(data, monkeypatch)


@pytest.mark.parametrize("orientation", range(10))
def test_photos_are_turned_as_pillow_turns_them(orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(picture(), exif=exif)
    assert fast(data) is not None
    check_same(data, monkeypatch)


def test_odd_files_are_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jpeg(picture())
    scan = whole.index(b"\xff\xda")
    odd = {
        "CMYK": jpeg(picture("CMYK")),
        "cut off": whole[: len(whole) * 2 // 3],
        "cut off with an end": whole[: len(whole) * 2 // 3] + b"\xff\xd9",
        "rubbish before a marker": whole[:scan] + b"rubbish" + whole[scan:],
    }
    for name, data in odd.items():
        assert fast(data) is None, name
        check_same(data, monkeypatch)


def test_the_limit_of_pixels_holds_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(decode, "plain_jpeg", decoded)
    with pytest.raises(PhotoError, match="too_large"):
        decode_photo(jpeg(picture()), max_pixels=1000)


def test_every_odd_file_and_some_portraits_of_the_shared_data_come_out_as_by_pillow(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formats = [path for path in sorted((shared / "data" / "formats").rglob("*")) if path.is_file()]
    portraits = sorted((shared / "data" / "labelled").rglob("*.jpg"))[::20]
    jpegs = [data for path in [*formats, *portraits] if (data := path.read_bytes())[:3] == b"\xff\xd8\xff"]
    assert len(jpegs) > 80
    for data in jpegs:
        check_same(data, monkeypatch)

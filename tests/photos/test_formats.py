"""Photos are known by their suffix, and by their first bytes where it says nothing."""

import io

import pytest
from PIL import Image

from facesets_dagster.photos import formats
from facesets_dagster.photos.formats import (
    JPEG_XL_DECODER,
    OTHER_SUFFIXES,
    RAW_DECODER,
    RAW_SUFFIXES,
    decoder_of_suffix,
    format_of,
    is_photo_suffix,
    suffix_of,
)


@pytest.mark.parametrize(
    "name", ["a.jpg", "b.JPEG", "c.heic", "d.psb", "e.AVIF", "no.dots.tif", "f.j2k", "g.NEF", "h.jxl"]
)
def test_photo_names(name: str) -> None:
    assert is_photo_suffix(suffix_of(name)) is True


@pytest.mark.parametrize("name", ["notes.txt", "movie.mp4", "photo.jpg.part", "IMG_1.xmp", "IMG_1.jpg_original"])
def test_names_of_other_things(name: str) -> None:
    assert is_photo_suffix(suffix_of(name)) is False


@pytest.mark.parametrize("name", ["jpg", "Makefile", "tweet.jpg_large", "photo.", ".jpg", "IMG_1.jpg~", "a.b c"])
def test_names_that_leave_it_to_the_content(name: str) -> None:
    assert is_photo_suffix(suffix_of(name)) is None


def test_no_suffix_is_a_photos_and_another_things() -> None:
    assert not [suffix for suffix in OTHER_SUFFIXES if is_photo_suffix(suffix)]
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in OTHER_SUFFIXES | RAW_SUFFIXES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "HEIF", "AVIF", "JPEG2000", "QOI"])
def test_a_content_is_known_by_its_first_bytes(kind: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 200, 90)).save(stream, kind)
    found = format_of(stream.getvalue()[:64])
    assert found is not None
    assert found.replace(" ", "").upper() == kind


@pytest.mark.parametrize(
    "head",
    [b"", b"x", b"a text", b"#!/bin/sh\n", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
     b"BM: a letter, as long as the head of a bitmap is", b"%PDF-1.7", b"PK\x03\x04", b"RIFF\0\0\0\0AVI LIST"],
)  # fmt: skip
def test_other_contents_are_no_photos(head: bytes) -> None:
    assert format_of(head) is None


@pytest.mark.parametrize(
    ("suffix", "decoder"), [(".nef", RAW_DECODER), (".dng", RAW_DECODER), (".jxl", JPEG_XL_DECODER)]
)
def test_a_photo_without_its_decoder_is_none_and_the_sentence_says_how_to_get_it(
    suffix: str, decoder: formats.OptionalDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decoder_of_suffix(suffix) is decoder
    monkeypatch.setattr(formats, "_installed", lambda module: module != decoder.module)
    assert is_photo_suffix(suffix) is False
    assert f"facesets-dagster[{decoder.extra}]" in decoder.advice
    assert "make setup" in decoder.advice

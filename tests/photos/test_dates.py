"""When a photo was taken: EXIF that can be believed, names that really hold a year, and nothing guessed."""

import io
import struct
import zlib
from datetime import date
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facesets_dagster.photos.dates import counter_shapes, date_photo, year_of_exif, year_of_name
from facesets_dagster.photos.exif import read_taken

TODAY = date(2026, 11, 25)
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF", "PSD")


def photo(kind: str, taken: str | None) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    if taken is not None:
        exif[0x010F] = "a camera"
        exif.get_ifd(0x8769)[0x9003] = taken
    picture = Image.new("RGB", (64, 48), (90, 120, 30))
    if kind == "PSD":
        return psd(exif.tobytes() if taken is not None else b"")
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(stream, exif=exif.tobytes() if taken is not None else None)
    else:
        picture.save(stream, kind, exif=exif.tobytes() if taken is not None else b"")
    return stream.getvalue()


def psd(exif: bytes) -> bytes:
    """8 x 4 grey pixels, with an EXIF block among the image resources."""
    resource = b"8BIM" + struct.pack(">HH", 1058, 0) + struct.pack(">I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 4, 8, 8, 1)
    return head + struct.pack(">II", 0, len(resource)) + resource + struct.pack(">IH", 0, 0) + b"\x80" * 32


def taken(data: bytes) -> str | None:
    return read_taken(io.BytesIO(data), max_pixels=10**8)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_date_in_the_header_is_read_from_every_format(kind: str) -> None:
    assert taken(photo(kind, "2013:05:04 12:30:00")) == "2013:05:04 12:30:00"
    assert taken(photo(kind, None)) is None


def test_a_png_s_date_behind_its_pixels_is_found_without_decoding_them() -> None:
    plain, dated = photo("PNG", None), photo("PNG", "2013:05:04 12:30:00")
    start = dated.index(b"eXIf") - 4
    size = struct.unpack(">I", dated[start : start + 4])[0] + 12
    behind = plain[:-12] + dated[start : start + size] + plain[-12:]
    spoiled = behind.replace(zlib.compress(b""), b"")
    pixels = spoiled.index(b"IDAT") + 8
    spoiled = spoiled[:pixels] + b"\xff" * 4 + spoiled[pixels + 4 :]  # no decoder gets through that
    assert taken(spoiled) == "2013:05:04 12:30:00"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_header_is_undated_and_never_an_error(kind: str) -> None:
    whole = photo(kind, "2013:05:04 12:30:00")
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        damaged = bytearray(whole)
        damaged[position : position + 6] = b"\xff\x00\xff\xff\x00\xff"
        for data in (bytes(damaged), whole[:position]):
            found = taken(data)
            assert found is None or isinstance(found, str)


def test_what_is_no_photo_has_no_date() -> None:
    assert taken(b"") is None
    assert taken(b"\x89PNG\r\n\x1a\n") is None
    assert taken(b"2013:05:04 12:30:00") is None


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2013:05:04 12:30:00", 2013),
        ("2013-05-04T12:30:00", 2013),
        ("2013:05:04", 2013),
        ("1958:07:01 00:00:00\0", 1958),
        ("1978:01:01 00:00:00", 1978),  # a year that somebody set on a scan
        ("2026:11:26 01:00:00", 2026),  # tomorrow has begun elsewhere
        ("2026:11:27 01:00:00", None),
        ("2031:05:04 12:30:00", None),
        ("1826:05:04 12:30:00", None),
        ("1899:12:31 12:30:00", None),
        ("0000:00:00 00:00:00", None),
        ("2013:02:30 12:30:00", None),
        ("2013:13:01 12:30:00", None),
        ("2013:05:04 25:30:00", None),
        ("1970:01:01 00:00:00", None),
        ("1970:01:01 09:12:44", None),
        ("1980:01:01 00:00:00", None),
        ("1980:01:06 00:00:00", None),
        ("1904:01:01 00:00:00", None),
        ("2000:01:01 00:00:00", None),
        ("2000:01:01 03:41:10", None),
        ("2007:01:01 00:00:07", None),
        ("2007:01:01 14:20:00", 2007),
        ("2002:12:08 12:00:00", None),
        ("2002:12:08 12:00:01", 2002),
        ("    :  :     :  :  ", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_an_exif_date_counts_if_it_can_be_true(text: str, year: int | None) -> None:
    assert year_of_exif(text, TODAY) == year


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("IMG_20130504_101112", 2013),
        ("IMG20130504101112", 2013),
        ("IMG-20190504-WA0012", 2019),
        ("PXL_20230504_123456789", 2023),
        ("VID_20130504", 2013),
        ("20130504123456", 2013),
        ("Screenshot_2019-05-04-12-30-11", 2019),
        ("2013-05-04", 2013),
        ("2013-05-04 12.30.11", 2013),
        ("2013_05_04", 2013),
        ("2013.05.04", 2013),
        ("04.05.2013 Paris", 2013),
        ("IMG_2013-05-04", 2013),
        ("2013-05-04_2013-05-06", 2013),
        ("1998", 1998),
        ("1998-04", 1998),
        ("1998-99", 1998),
        ("Madonna, 1998", 1998),
        ("Wedding (1998)", 1998),
        ("Paris_2004_0012", 2004),
        ("ca. 1978", 1978),
        ("1080p 2013", 2013),
        ("2012 2012", 2012),
        ("1998-2004__x", 2001),
        ("1998 – 2004", 2001),
        ("1975-2018__five_httpwww", None),
        ("1998-2008", 2003),
        ("1998-2009", None),
        ("2002-2003__lfw_Madonna_0002", 2002),
        ("1990s party", 1994),
        ("1960er", 1964),
        ("2020s", 2023),
    ],
)
def test_a_name_that_holds_a_date_gives_its_year(name: str, year: int) -> None:
    assert year_of_name(name, frozenset(), TODAY) == year


@pytest.mark.parametrize(
    "name",
    [
        *("IMG_2013", "img 2013", "IMG2013", "DSC_1998", "DSC01998", "_MG_2004", "DSCN2011", "P2010", "P1000123"),
        *(
            "100_1998",
            "101-2013",
            "GOPR1998",
            "photo 2004",
            "photo (2004)",
            "scan_1978",
            "face-1998",
            "Copy of IMG_2013",
        ),
        *(
            "1920x1080",
            "1920 x 1080",
            "1920×1080",
            "1920_1080",
            "2000px",
            "2000 px",
            "2000 dpi",
            "ISO 2000",
            "iso_2000",
        ),
        *("n508901234_1234567_2013", "1998_1234567890_b", "12345_2004", "550e8400-1998-2004-a716-446655440000"),
        *("20131399", "20130230", "20130504999999999", "1367654400000", "201305041", "2049", "1899", "2027", "1066"),
        *("v2010", "v.2010", "No. 1998", "#1998", "summer1998", "5f1998ab", "1998a", "19980", "81998", "x 2004"),
        *("1998_2004", "2004-1998", "2004 1998", "20131231-20140101", "1998-2004 2010-2012", "80s", "’98", "98"),
        *("", "Madonna", "DCIM", "100CANON", "lfw_Madonna_0002", "person_007", "[Originaldateien]", "psd"),
    ],
)
def test_counters_sizes_ids_and_contradictions_are_no_years(name: str) -> None:
    assert year_of_name(name, frozenset(), TODAY) is None


@given(st.text(max_size=40))
def test_any_name_gives_a_year_within_bounds_or_none(name: str) -> None:
    year = year_of_name(name, frozenset(), TODAY)
    assert year is None or 1900 <= year <= 2026


@given(st.text(max_size=30))
def test_any_exif_text_gives_a_year_within_bounds_or_none(text: str) -> None:
    year = year_of_exif(text, TODAY)
    assert year is None or 1900 <= year <= 2026


def test_a_number_that_counts_in_its_siblings_is_no_year() -> None:
    frames = [f"b/frames/{number:04d}.jpg" for number in (1, 977, 1998, 2004)]
    albums = ["b/1998/a.jpg", "b/Ben_Affleck_0001.jpg", "b/Ben_Affleck_1998.jpg", "b/Paris 1998.jpg"]
    counters = counter_shapes([*frames, *albums], TODAY)

    def dated(path: str) -> int | None:
        return date_photo(None, [path], counters, TODAY).year

    assert dated("b/frames/1998.jpg") is None
    assert dated("b/Ben_Affleck_1998.jpg") is None
    assert dated("b/Paris 1998.jpg") == 1998
    assert dated("b/1998/a.jpg") == 1998


def found(taken: str | None, *places: str) -> tuple[int | None, str]:
    date_found = date_photo(taken, places, {}, TODAY)
    return date_found.year, date_found.source


def test_exif_wins_over_the_file_name_and_that_over_the_nearest_folder() -> None:
    path = "Ireland 1971/1985/2004-05-06 Dublin.jpg"
    assert found("1998:03:04 10:00:00", path) == (1998, "exif")
    assert found("1980:01:01 00:00:00", path) == (2004, "file_name")
    assert found(None, path) == (2004, "file_name")
    assert found(None, "Ireland 1971/1985/IMG_2013.jpg") == (1985, "folder_name")
    assert found(None, "Ireland 1971/psd/IMG_2013.jpg") == (1971, "folder_name")
    assert found(None, "osrc/psd/IMG_2013.jpg") == (None, "undated")


def test_another_name_of_the_same_bytes_may_say_it() -> None:
    assert found(None, "b/IMG_0001.jpg", "b/album/2004-05-06.jpg") == (2004, "file_name")
    assert found(None, "b/IMG_0001.jpg", "b/2004/IMG_0001.jpg") == (2004, "folder_name")


def test_a_suffix_that_is_no_suffix_stays_in_the_name(tmp_path: Path) -> None:
    assert found(None, "b/Paris 2004") == (2004, "file_name")
    assert found(None, "b/party 31.12.1999.jpeg") == (1999, "file_name")
    assert found(None, "b/party.2004") == (2004, "file_name")

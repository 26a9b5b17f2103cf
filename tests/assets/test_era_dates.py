"""Eras by dates of real photos: where a date comes from, what is kept of it, and that nothing is lost with it."""

import shutil

import polars as pl
import pytest

from facesets_dagster.faces import photo_dates
from facesets_dagster.photos.bucket_key import LIBRARY
from testing.eras import OLD, SECOND, checks, meet, metadata, names, split, write_dated, write_exif
from testing.fake_home import FakeHome
from testing.fakes import write_looks, write_person


@pytest.fixture
def known(fake_home: FakeHome) -> FakeHome:
    return meet(fake_home)


def test_dates_come_from_exif_then_file_name_then_folder_and_the_rest_is_undated(fake_home: FakeHome) -> None:
    folder = fake_home.buckets / "a"
    for number, variant in enumerate((-0.9, -0.85, -0.5, -0.45)):
        write_exif(folder / "1971" / f"IMG_200{number}.png", "2011:06:07 10:00:00", variant, seed=number)
    write_dated(folder, OLD)
    write_looks(folder / "1999", 1, [0.0])
    write_looks(folder / "undated", 1, [0.05, -0.05])
    fake_home.run("a")
    result = split(fake_home, "faceset_001")
    found = metadata(result)
    assert found["photos_dated_by"] == {"exif": 4, "file_name": 4, "folder_name": 1, "undated": 2}
    assert found["undated_share"] == pytest.approx(2 / 11, abs=1e-4)
    assert found["faces_in_no_era"] == {"undated": 2}
    assert set(names(fake_home)) == {
        "faceset_001_era_1999-1999", "faceset_001_era_2011-2011", SECOND,
    }  # fmt: skip
    page = next((fake_home.settings.reports_dir / LIBRARY).glob("*.era_facesets.md")).read_text()
    for heading in ("How photos were dated", "Eras", "Faces in no era", "Parameters", "How to run again"):
        assert f"## {heading}" in page
    assert page.count("nothing says when the photo was taken") == 1
    assert fake_home.flaws() == []


def test_mostly_undated_photos_are_pointed_out(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    result = split(fake_home, "*")
    assert checks(result)["photos_dated"] is False
    assert result.success
    assert names(fake_home) == {}
    assert metadata(result)["faces_in_no_era"] == {"undated": 8}


def test_a_second_run_opens_no_photo_for_its_date(known: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    split(known, "*")

    def never(*_: object, **__: object) -> str:
        raise AssertionError("a photo was opened")

    with monkeypatch.context() as patch:
        patch.setattr(photo_dates, "photo_decoders", never)
        assert split(known, "*").success
    cache = known.settings.cache_dir / "photo_dates.parquet"
    assert pl.read_parquet(cache).columns == ["sha256", "taken"]
    once = known.files()
    cache.write_bytes(b"damaged")
    assert split(known, "*").success
    assert len(pl.read_parquet(cache)) == 14
    assert known.files() == once


def test_nothing_leaves_an_era_because_photos_and_cache_are_gone(fake_home: FakeHome) -> None:
    for number, variant in enumerate((-0.9, -0.5, -0.1)):
        write_exif(fake_home.buckets / "a" / f"x{number}.png", "2011:06:07 10:00:00", variant, seed=number)
    write_looks(fake_home.buckets / "a", 1, [0.3, 0.7, 0.9])
    fake_home.run("a")
    split(fake_home, "faceset_001")
    once = fake_home.files()
    shutil.rmtree(fake_home.buckets / "a")
    (fake_home.settings.cache_dir / "photo_dates.parquet").unlink()
    split(fake_home)
    assert fake_home.files() == once

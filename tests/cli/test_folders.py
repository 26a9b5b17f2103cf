"""`facesets run --folder`: a folder as a bucket where it lies."""

from pathlib import Path

import pytest

from facesets_dagster.cli.folders import taken_as_buckets
from facesets_dagster.cli.status import print_status
from facesets_dagster.errors import BucketError, SettingsError
from facesets_dagster.library.home import Home
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import write_person


@pytest.fixture
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos that lies elsewhere."""
    folder = tmp_path_factory.mktemp("pictures") / "Fête [2019]"
    write_person(folder, 3, 7)
    return folder


def test_a_folder_is_a_bucket_for_every_later_run_and_stays_as_it_is(
    fake_home: FakeHome, photos: Path, capsys: pytest.CaptureFixture
) -> None:
    server = HomeResource.of(fake_home.settings)  # runs already when the folder is taken
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    (key,) = taken_as_buckets(fake_home.settings, [photos])
    assert f"is the bucket {photos.name!r} from now on" in " ".join(capsys.readouterr().err.split())
    assert server.buckets() == {key: photos}
    assert server.bucket_folder(key) == photos
    fake_home.run(key)
    print_status(fake_home.settings, as_json=False)
    said = capsys.readouterr().out
    assert "Fête [2019]" in said
    assert "up to date" in said
    assert {path: path.stat().st_mtime_ns for path in photos.rglob("*")} == before
    assert taken_as_buckets(fake_home.settings, [photos]) == [key], "again is the same"
    assert fake_home.flaws() == []


def test_a_bucket_of_a_root_is_just_run(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 1)
    assert taken_as_buckets(fake_home.settings, [fake_home.buckets / "a"]) == ["a"]
    assert not fake_home.settings.folder_list.exists()


def test_a_root_that_is_a_folder_of_photos_can_be_one_bucket(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets, 1, 7)
    home = Home.of(fake_home.settings)
    assert "facesets run --folder" in home.roots()[0].advice
    (key,) = taken_as_buckets(fake_home.settings, [fake_home.buckets])
    assert home.buckets() == {key: fake_home.buckets}
    assert home.roots() == []
    assert len(home.listing(key)) == 7


def test_folders_whose_photos_would_be_read_twice_or_are_the_platforms_are_refused(
    fake_home: FakeHome, photos: Path
) -> None:
    write_person(fake_home.buckets / "a" / "inside", 1, 1)
    settings = fake_home.settings
    for folder, why in (
        (fake_home.buckets / "a" / "inside", "lies in the bucket"),
        (fake_home.buckets, "read twice"),
        (settings.home, "which this platform writes to"),
        (settings.library_dir, "is no folder"),
        (photos / "p03_000.png", "is no folder"),
    ):
        with pytest.raises(BucketError, match=why):
            taken_as_buckets(settings, [folder])
    taken_as_buckets(settings, [photos])
    (other := photos.parent / "more" / photos.name).mkdir(parents=True)
    with pytest.raises(BucketError, match="two cannot have one name"):
        taken_as_buckets(settings, [other])


def test_a_folder_that_is_away_is_absent_and_not_empty(fake_home: FakeHome, photos: Path) -> None:
    (key,) = taken_as_buckets(fake_home.settings, [photos])
    photos.rename(photos.with_name("away"))
    home = Home.of(fake_home.settings)
    assert key in home.buckets()
    with pytest.raises(BucketError, match="never taken for an empty bucket"):
        home.listing(key)


def test_a_broken_list_is_said_and_not_taken_for_an_empty_one(fake_home: FakeHome) -> None:
    fake_home.settings.folder_list.write_text('{"schema_version": 7, "folders": []}')
    with pytest.raises(SettingsError, match="schema_version 7"):
        Home.of(fake_home.settings).buckets()

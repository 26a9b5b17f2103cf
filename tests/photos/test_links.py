"""Symbolic links in a bucket: followed within what the settings name, listed and said otherwise."""

from pathlib import Path

import pytest

from facesets_dagster.doctor import run_doctor
from facesets_dagster.photos.links import LEADS_OUT
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.settings import load_settings
from testing.fake_home import FakeHome
from testing.fakes import write_person


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A bucket with links to a photo of its own, to private photos, to a device, to nothing and to itself."""
    for folder in ("bucket/sub", "private", "private2"):
        (tmp_path / folder).mkdir(parents=True)
    for photo in ("bucket/own.jpg", "private/secret.jpg", "private2/secret.jpg"):
        (tmp_path / photo).write_bytes(b"x")
    links = {
        **{"inside.jpg": "own.jpg", "sub/up.jpg": "../own.jpg", "out.jpg": tmp_path / "private" / "secret.jpg"},
        **{"sub/dots.jpg": "../../private2/secret.jpg", "chain.jpg": "out.jpg", "device.jpg": "/dev/zero"},
        **{"gone.jpg": "nowhere.jpg", "loop.jpg": "loop.jpg"},
    }
    for name, target in links.items():
        (tmp_path / "bucket" / name).symlink_to(target)
    return tmp_path / "bucket"


def seen(bucket: Path, *linked: Path) -> tuple[list[str], list[str]]:
    """Photos, and links that are not followed."""
    listing = list_bucket(bucket, linked=linked)
    return [file.path for file in listing.files], [one.path for one in listing.foreign if one.reason == LEADS_OUT]


def test_links_out_of_a_bucket_are_listed_and_not_followed(bucket: Path) -> None:
    out = ["chain.jpg", "device.jpg", "out.jpg", "sub/dots.jpg"]
    assert seen(bucket) == (["inside.jpg", "own.jpg", "sub/up.jpg"], out)


def test_a_setting_names_the_folders_to_which_they_may_lead(bucket: Path) -> None:
    photos, out = seen(bucket, bucket.parent / "private")
    assert photos == ["chain.jpg", "inside.jpg", "out.jpg", "own.jpg", "sub/up.jpg"]
    assert out == ["device.jpg", "sub/dots.jpg"], "a folder of which the name only begins alike is another one"
    assert seen(bucket, Path("/"))[1] == []


def test_a_bucket_that_is_a_link_itself_is_its_folder(bucket: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(bucket)
    assert seen(tmp_path / "linked")[0] == ["inside.jpg", "own.jpg", "sub/up.jpg"]


def test_people_sorted_by_links_to_photos_of_buckets_are_read(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "trip", 1, 7)
    (fake_home.people / "Anna").mkdir()
    for photo in (fake_home.buckets / "trip").iterdir():
        (fake_home.people / "Anna" / photo.name).symlink_to(photo)
    fake_home.run("trip", job="full_pipeline")
    (anna,) = fake_home.library.registry.identities()
    assert (anna.kind, fake_home.flaws()) == ("hand_sorted", [])


def test_doctor_says_what_is_not_followed_and_how_to_allow_it(bucket: Path, tmp_path: Path) -> None:
    given = {"FACESETS_HOME": str(tmp_path / "home"), "FACESETS_BUCKETS": str(tmp_path)}
    for more, status in (({}, "warning"), ({"FACESETS_LINKS_TO": "/dev:/"}, "ok")):
        (found,) = [one for one in run_doctor(load_settings({**given, **more}, tmp_path)) if one.name == "links"]
        assert found.status == status
    (found,) = [one for one in run_doctor(load_settings(given, tmp_path)) if one.name == "links"]
    assert found.found.startswith("1 link leads out of the folders that are read, e.g. ")
    assert "FACESETS_LINKS_TO" in found.advice

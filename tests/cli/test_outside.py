"""Commands fill no folder in which the platform would read the copies as photos, or keeps its own files."""

from pathlib import Path

import pytest

from facesets_dagster.cli.folders import taken_as_buckets
from facesets_dagster.cli.outside import require_no_bucket, require_outside
from facesets_dagster.errors import SettingsError
from facesets_dagster.settings import Settings
from testing.fake_home import FakeHome
from testing.fakes import write_person


@pytest.fixture
def settings(fake_home: FakeHome, tmp_path: Path) -> Settings:
    """Of a home with a bucket in a root, a bucket where it lies, a legacy library and hand-sorted people."""
    write_person(fake_home.buckets / "trip", 1, 1)
    write_person(tmp_path / "photos", 1, 1)
    settings = fake_home.settings.model_copy(update={"models_root": tmp_path / "models"})
    taken_as_buckets(settings, [tmp_path / "photos"])
    for name in ("legacy", "by hand"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(fake_home.buckets)
    more = {"legacy_roots": (tmp_path / "legacy",), "hand_sorted_root": tmp_path / "by hand"}
    return settings.model_copy(update=more)


@pytest.mark.parametrize(
    "place", ["photos", "photos/x", "legacy/x", "by hand/Anna", "link/trip", "out/../photos", "home/exports/x"]
)
def test_a_folder_that_is_read_or_kept_is_refused_however_it_is_spelled(
    settings: Settings, tmp_path: Path, place: str
) -> None:
    folder = settings.home / place.removeprefix("home/") if place.startswith("home/") else tmp_path / place
    with pytest.raises(SettingsError, match="Name a folder outside of it"):
        require_outside(folder, settings)


def test_other_folders_are_as_one_likes(settings: Settings, tmp_path: Path) -> None:
    for name in ("out", "photos 2", "by hand too/x"):
        require_outside(tmp_path / name, settings)
        require_no_bucket(tmp_path / name, settings)


def test_sample_buckets_go_into_a_root_and_never_into_a_bucket(settings: Settings, tmp_path: Path) -> None:
    (root,) = settings.bucket_roots
    require_no_bucket(root, settings)
    for folder in (root / "trip", root / "new", tmp_path / "photos", tmp_path / "link" / "trip"):
        with pytest.raises(SettingsError, match="would be part of a bucket"):
            require_no_bucket(folder, settings)

"""What tests of the scan share."""

import shutil
from pathlib import Path

import pytest

from testing.fakes import write_person
from tests.faces.test_face_cache import Bucket


@pytest.fixture(scope="session")
def thirty_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of thirty photos of one person, drawn once."""
    folder = tmp_path_factory.mktemp("thirty")
    write_person(folder, 1, 30)
    return folder


@pytest.fixture
def bucket(tmp_path: Path, thirty_photos: Path) -> Bucket:
    """Thirty photos, scanned."""
    bucket = Bucket(tmp_path)
    shutil.copytree(thirty_photos, bucket.folder, dirs_exist_ok=True)
    bucket.scan()
    return bucket

"""What tests of the scan share."""

from pathlib import Path

import pytest

from tests.fakes import write_person


@pytest.fixture(scope="session")
def thirty_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of thirty photos of one person, drawn once."""
    folder = tmp_path_factory.mktemp("thirty")
    write_person(folder, 1, 30)
    return folder

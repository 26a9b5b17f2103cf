"""`facesets calibrate`, in process with the fake model."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from facesets_dagster.cli import calibrate
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.errors import LibraryError, SettingsError
from testing.fake_home import FakeHome
from testing.fakes import FakeEmbedderResource, write_person


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> FakeHome:
    fake_home.embedder = FakeEmbedderResource(calibration=str(fake_home.settings.calibration_file))
    monkeypatch.setattr(calibrate, "instance_of", fake_home.instance_of)
    monkeypatch.setattr(calibrate, "build_defs", fake_home.definitions_of)
    monkeypatch.setattr(calibrate, "numbers_now", lambda settings: vars(fake_home.embedder.thresholds()))
    return fake_home


def answer(
    home: FakeHome, capsys: pytest.CaptureFixture[str], folder: Path | None, *, remove: bool = False
) -> dict[str, object]:
    calibrate.print_calibration(home.settings, folder, Console(), remove=remove, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_numbers_are_measured_shown_and_removed(
    home: FakeHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for person in range(12):
        write_person(tmp_path / "labelled" / f"Person {person}", person, 5)
    measured = answer(home, capsys, tmp_path / "labelled")
    numbers = measured["numbers"]
    assert isinstance(numbers, dict)
    assert home.embedder.thresholds().cluster_distance == numbers["cluster_distance"]
    assert Path(str(measured["report"])).is_file()
    assert measured["file"] == str(home.settings.calibration_file)
    calibrate.print_calibration(home.settings, tmp_path / "labelled", Console(width=80), remove=False)
    assert "cluster_distance" in capsys.readouterr().out
    gone = answer(home, capsys, None, remove=True)
    assert gone["numbers"] == {}
    assert home.embedder.thresholds() == ARCFACE


def test_a_folder_beside_remove_and_an_absent_folder_are_explained(home: FakeHome, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="takes no folder"):
        calibrate.print_calibration(home.settings, tmp_path, Console(), remove=True)
    with pytest.raises(LibraryError, match="is not a folder"):
        calibrate.print_calibration(home.settings, tmp_path / "nowhere", Console(), remove=False)

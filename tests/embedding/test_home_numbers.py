"""Numbers that a home keeps for its pack: they hold for its models only, and a bad file is explained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from facesets_dagster.embedding.home_numbers import HomeNumbers, numbers_at_home, read_home_numbers
from facesets_dagster.embedding.thresholds import ARCFACE, MEASURED_GATES, SFACE
from facesets_dagster.errors import SettingsError

KEPT = HomeNumbers(
    "0123456789abcdef",
    "mine",
    "2026-11-28T12:00:00+00:00",
    {"folder": "/people", "digest": "d"},
    {"cluster_distance": 0.51, "join_two_faces": 0.5},
    {"curves": {}},
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    KEPT.write(tmp_path / "calibration.json")
    assert read_home_numbers(tmp_path / "calibration.json") == KEPT
    assert json.loads((tmp_path / "calibration.json").read_text())["schema_version"] == 1


def test_no_file_means_the_shipped_numbers(tmp_path: Path) -> None:
    assert numbers_at_home(SFACE, tmp_path / "calibration.json", KEPT.model_id) is SFACE
    assert numbers_at_home(SFACE, None, KEPT.model_id) is SFACE


def test_the_homes_numbers_take_the_place_of_the_shipped_ones_for_the_same_models(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    KEPT.write(path)
    assert numbers_at_home(SFACE, path, KEPT.model_id) == replace(SFACE, cluster_distance=0.51, join_two_faces=0.5)
    assert numbers_at_home(SFACE, path, "fedcba9876543210") is SFACE


def test_a_pack_that_was_not_measured_gets_the_gates_of_those_that_were(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    KEPT.write(path)
    found = numbers_at_home(ARCFACE, path, KEPT.model_id)
    assert found.calibrated
    assert found.min_face_short_px == MEASURED_GATES["min_face_short_px"]
    replace(KEPT, data={"digest": "d"}).write(path)  # without labels nothing is known of gates
    assert numbers_at_home(ARCFACE, path, KEPT.model_id).min_face_short_px == ARCFACE.min_face_short_px


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema_version": 2}',
        json.dumps({"schema_version": 1, "model_id": "x"}),
        json.dumps({"schema_version": 1, **vars(KEPT), "numbers": {"min_faces": 3}}),
        json.dumps({"schema_version": 1, **vars(KEPT), "numbers": {"cluster_distance": "0.5"}}),
    ],
)
def test_a_file_that_is_no_calibration_is_explained(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="calibrate --remove"):
        read_home_numbers(path)

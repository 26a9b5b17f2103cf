"""`facesets calibrate` on labelled photos with a real pack. Long; skipped where the photos are not there."""

import json
from pathlib import Path

import pytest

from facesets_dagster.embedding.thresholds import W600K_MBF
from testing.homes import RealHome, link_photos
from testing.measurements.systems import photos_of_people

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PEOPLE = 45


def test_labelled_people_give_numbers_near_the_shipped_ones_and_the_home_uses_them(
    shared: Path, embedded_models_root: Path, tmp_path: Path
) -> None:
    people = list(photos_of_people().items())[:PEOPLE]
    photos = {path.removeprefix("labelled/"): shared / "data" / path for _, paths in people for path in paths}
    link_photos(tmp_path / "labelled", photos)
    home = RealHome(tmp_path / "home", str(shared / "models" / "buffalo_sc"), embedded_models_root)
    home.facesets("init")
    measured = json.loads(home.facesets("calibrate", str(tmp_path / "labelled"), "--json"))
    kept = json.loads((tmp_path / "home" / "calibration.json").read_text())
    assert measured["numbers"] == kept["numbers"]
    assert kept["data"]["people"] == PEOPLE
    for half in kept["evidence"]["other_half"]:
        assert half["wrong_merges"] <= 0.005
        assert half["bcubed_f"] >= 0.97
    for name in ("cluster_distance", "join_two_groups", "cover_distance", "outlier_distance"):
        assert abs(kept["numbers"][name] - getattr(W600K_MBF, name)) <= 0.15, name
    assert Path(measured["report"]).is_file()
    removed = json.loads(home.facesets("calibrate", "--remove", "--json"))
    assert removed["numbers"] == {}
    assert not (tmp_path / "home" / "calibration.json").exists()

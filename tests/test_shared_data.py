"""The labelled photos beside the repository through the whole platform. Long; skipped where they are not there."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from facesets_dagster.embedding.thresholds import thresholds_for
from testing.homes import RealHome
from testing.measurements.curation import measure_curation
from testing.measurements.systems import measure_systems
from testing.measurements.three_buckets import BUCKETS, LibraryOutcome, cached_home, run_at_once, run_in_order
from testing.odd_formats import UNUSED_IN_A_BUCKET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("pack", ["buffalo_sc", "embedded"])
def test_people_are_not_mixed_and_every_odd_file_is_accounted_for(
    shared: Path, embedded_models_root: Path, tmp_path: Path, pack: str
) -> None:
    name = pack if pack == "embedded" else str(shared / "models" / pack)
    rows = {row.name: row for row in measure_curation(name, embedded_models_root, tmp_path / "home")}
    for what in ("clusters before the gates", "candidates before the export gates", "exported facesets"):
        row = rows[f"pairwise precision: {what}"]
        assert row.value is not None
        assert row.value >= 0.99, row
    home = RealHome(tmp_path / "home", name, embedded_models_root)
    odd = {
        path.removeprefix("formats/"): status
        for path, status in home.cached("all").files.select("path", "status").iter_rows()
        if path.startswith("formats/") and status not in ("faces", "noface")
    }
    assert odd == UNUSED_IN_A_BUCKET
    check_explanations(home)


def judged(row: dict[str, Any], gate: str, good_norm: float) -> float:
    """What a gate compares: a column, the sharpness at one face size, or the length of the embedding."""
    if gate == "quality":
        return float(np.linalg.norm(row["embedding"])) / good_norm
    return float(row["sharpness" if gate == "blur" else gate])


def check_explanations(home: RealHome) -> None:
    """Twenty faces at random over all states: `facesets explain` says what the tables say."""
    decisions = home.library.registry.decisions("all")
    shuffled = decisions.sample(fraction=1, shuffle=True, seed=20)
    one_each = shuffled.unique("state", keep="first", maintain_order=True)
    picked = pl.concat([one_each, shuffled]).unique("face_id", keep="first", maintain_order=True).head(20)
    assert picked["state"].n_unique() == decisions["state"].n_unique()
    good_norm = thresholds_for(home.model()).good_norm
    faces = {row["face_id"]: row for row in home.cached("all").faces.iter_rows(named=True)}
    for wanted in picked.iter_rows(named=True):
        (photo,) = json.loads(home.facesets("explain", wanted["face_id"], "--json"))["photos"]
        row = faces[wanted["face_id"]]
        assert row["path"] in (photo["path"], *photo["aliases"])
        (found,) = [face for face in photo["faces"] if face["face_id"] == wanted["face_id"]]
        for key in ("state", "value", "threshold", "identity"):
            assert found[key] == wanted[key], (key, found, wanted)
        if wanted["identity"] is None or wanted["state"] == "covered":
            assert (found["nearest"], found["nearest_distance"]) == (wanted["nearest"], wanted["nearest_distance"])
        else:  # a member's nearest is looked for among the others of today
            assert found["nearest"] != wanted["identity"]
        if wanted["value"] is not None and wanted["state"].startswith(("below_gate:", "below_export_gate:")):
            assert wanted["value"] == pytest.approx(judged(row, wanted["state"].split(":")[1], good_norm), rel=1e-5)
            assert wanted["value"] < wanted["threshold"]
            assert f"{wanted['threshold']:.4g}" in found["why"]


@pytest.fixture(scope="module")
def start(shared: Path, embedded_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> RealHome:
    pack = str(shared / "models" / "buffalo_sc")
    return cached_home(tmp_path_factory.mktemp("orders") / "start", pack, embedded_models_root)


def check(outcome: LibraryOutcome) -> None:
    """`outcome` has verified the library already."""
    assert outcome.identities >= 15
    assert outcome.numbers_used_twice == 0
    assert outcome.near_pairs == 0
    assert outcome.merged == set()


@pytest.mark.parametrize("order", list(permutations(BUCKETS)), ids="-".join)
def test_every_order_makes_a_sound_library(start: RealHome, tmp_path: Path, order: tuple[str, ...]) -> None:
    check(run_in_order(start, order, tmp_path / "home"))


def test_all_at_once_found_nobody_twice(start: RealHome, tmp_path: Path) -> None:
    outcome = run_at_once(start, tmp_path / "home")
    check(outcome)
    assert outcome.split == set()


def test_the_other_systems_agree_with_the_labels(shared: Path, embedded_models_root: Path) -> None:
    rows = {row.name: row for row in measure_systems(str(shared / "models" / "buffalo_sc"), embedded_models_root)}
    assert rows["extend: members that changed identity"].value == 0
    for name, least in {
        "hand-sorted folders that became an identity": 15,
        "routing precision": 0.98,
        "extend: faces that joined the right person": 0.98,
        "candidates that belong to the faceset they are offered to": 0.9,
        "eras: faces in an era of their own label": 0.75,
    }.items():
        value = rows[name].value
        assert value is not None
        assert value >= least, rows[name]

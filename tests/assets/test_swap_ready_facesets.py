"""Facesets of a bucket on drawn photos: founding, growing, rebuilding, retiring, and what must not change."""

import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from facesets_dagster.analysis.explanation import reason
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.verification import verify_library
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_person, write_photo


def exported(home: FakeHome) -> dict[str, int]:
    manifest = json.loads((home.settings.library_dir / "manifest.json").read_text())
    return {entry["name"]: entry["exported"] for entry in manifest["facesets"]}


def states(home: FakeHome, bucket: str) -> dict[str, int]:
    return dict(home.library.registry.decisions(bucket).group_by("state").len().iter_rows())


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    events = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(asset)]
    return {key: value.value for key, value in events[0].materialization.metadata.items()}


def test_people_of_a_bucket_become_numbered_facesets(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 12)
    write_person(fake_home.buckets / "a", 3, 3)
    result = fake_home.run("a")
    assert result.success
    assert set(exported(fake_home)) == {"faceset_001", "faceset_002"}
    first = json.loads((fake_home.settings.library_dir / "faceset_001" / "manifest.json").read_text())
    assert len(first["faces"]) + len(first["excluded"]) == 12
    assert states(fake_home, "a")["small_cluster"] == 3
    assert verify_library(fake_home.library) == []


def test_the_same_inputs_change_no_byte(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    before = fake_home.files()
    result = fake_home.run("a")
    assert metadata(result, "face_cache")["this_run"]["opened"] == 0
    assert metadata(result, "swap_ready_facesets")["unchanged"] is True
    assert fake_home.files() == before


def test_more_photos_grow_the_identity_and_found_new_ones(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    members = set(fake_home.library.registry.members()["faceset_001"])
    write_person(fake_home.buckets / "a", 1, 3, first=8)
    write_person(fake_home.buckets / "a", 2, 7)
    result = fake_home.run("a")
    assert metadata(result, "face_cache")["this_run"]["decoded"] == 10
    now = fake_home.library.registry.members()
    assert members < set(now["faceset_001"])
    assert set(now["faceset_001"].values()) == {"founded", "grown"}
    assert set(exported(fake_home)) == {"faceset_001", "faceset_002"}
    assert verify_library(fake_home.library) == []


def test_other_parameters_keep_numbers_and_retire_what_is_not_found(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 7)
    fake_home.run("a")
    gates = {"osrc_clusters": {"min_face_short_px": 500}}
    fake_home.run("a", **gates)
    assert exported(fake_home) == {}
    graves = [(grave.name, grave.reason) for grave in fake_home.library.registry.tombstones()]
    assert graves == [("faceset_001", "vanished"), ("faceset_002", "vanished")]
    assert (fake_home.settings.library_dir / "_retired" / "faceset_001" / "manifest.json").exists()
    fake_home.run("a")
    assert set(exported(fake_home)) == {"faceset_001", "faceset_002"}
    assert fake_home.library.registry.tombstones() == []
    assert verify_library(fake_home.library) == []


def test_a_photo_that_is_gone_leaves_its_face_a_member(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    before = exported(fake_home)
    next((fake_home.buckets / "a").iterdir()).unlink()
    fake_home.run("a")
    assert exported(fake_home) == before
    assert fake_home.library.registry.decisions("a")["source_missing"].sum() == 1


def test_two_faces_of_one_photo_do_not_stay_in_one_identity(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    write_photo(fake_home.buckets / "a" / "twins.png", [FakeFace(1, 0.1), FakeFace(1, 0.8, x=320)])
    fake_home.run("a")
    decisions = fake_home.library.registry.decisions("a")
    assert states(fake_home, "a")["same_photo"] == 1
    row = decisions.filter(pl.col("state") == "same_photo").to_dicts()[0]
    assert row["value"] > row["threshold"]


def test_byte_copies_count_once(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 5)
    one = next((fake_home.buckets / "a").iterdir())
    for number in range(5):
        (fake_home.buckets / "a" / f"copy {number}.png").write_bytes(one.read_bytes())
    result = fake_home.run("a")
    assert metadata(result, "face_cache")["contents"] == 5
    assert exported(fake_home) == {}
    assert states(fake_home, "a") == {"small_cluster": 5}


def test_nothing_is_unpublished_because_it_cannot_be_exported_now(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    before, sizes = fake_home.files(), exported(fake_home)
    fake_home.run("a", swap_ready_facesets={"min_face_short_px": 5000, "fill_to": 0})
    assert fake_home.files() == before
    assert exported(fake_home) == sizes
    states = Counter(fake_home.library.registry.decisions("a")["state"])
    assert states["exported"] == sizes["faceset_001"]
    assert set(states) == {"exported", "below_export_gate:face_short"}
    assert verify_library(fake_home.library) == []


def test_the_centroid_is_the_unit_mean_of_what_is_exported(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    with np.load(fake_home.settings.library_dir / "faceset_001" / "faceset_001.npz", allow_pickle=False) as vectors:
        unit = vectors["embeddings"] / np.linalg.norm(vectors["embeddings"], axis=1, keepdims=True)
        mean = unit.mean(axis=0)
        assert vectors["centroid"] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
        assert vectors["embedding"] == pytest.approx(vectors["embeddings"].mean(axis=0), abs=1e-4)


def small_portraits(folder: Path, person: int, variants: Sequence[float], size: int) -> None:
    for number, variant in enumerate(variants):
        face = FakeFace(person, variant, size=size)
        write_photo(folder / f"small_{person}_{number}.png", [face], seed=100 * person + number)


def test_a_person_of_few_large_faces_is_filled_up_marked_and_explained(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, -0.45, 0.0])
    small_portraits(fake_home.buckets / "a", 1, [0.9, 0.45, -0.7], 95)
    fake_home.run("a")
    folder = fake_home.settings.library_dir / "faceset_001"
    manifest = read_faceset(folder)
    assert manifest is not None
    filled = [face for face in manifest.faces if face.filled]
    assert [face.rank for face in filled] == [4, 5]
    assert all(face.influence is not None for face in manifest.faces)
    assert {face.face_short < 100 for face in filled} == {True}
    (entry,) = json.loads((fake_home.settings.library_dir / "manifest.json").read_text())["facesets"]
    assert (entry["exported"], entry["filled"]) == (5, 2)
    assert [entry.state for entry in manifest.excluded] == ["near_duplicate"]
    rows = fake_home.library.registry.decisions("a").filter(
        (pl.col("state") == "exported") & pl.col("value").is_not_null()
    )
    assert sorted(rows["face_id"]) == sorted(face.face_id for face in filled)
    assert set(rows["threshold"]) == {100.0}
    assert {reason(row) for row in rows.iter_rows(named=True)} == {
        "In faceset_001, filled: the shorter side of the face (px) is 95, below the export gate of 100, and too few of "
        "its faces pass that."
    }
    with zipfile.ZipFile(folder / "faceset_001_top.fsz") as archive:
        assert archive.namelist() == [f"{rank:04d}.png" for rank in range(1, 6)]
    assert fake_home.flaws() == []


@pytest.mark.parametrize("config", [{"fill_to": 0}, {"preset": "legacy"}])
def test_who_wants_only_faces_that_pass_the_gates_has_them(fake_home: FakeHome, config: dict[str, object]) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, -0.45, 0.0])
    small_portraits(fake_home.buckets / "a", 1, [0.9, 0.45, -0.7], 95)
    fake_home.run("a", swap_ready_facesets=config)
    assert exported(fake_home) == {"faceset_001": 3}
    states = Counter(fake_home.library.registry.decisions("a")["state"])
    assert states == {"exported": 3, "below_export_gate:face_short": 3}
    manifest = read_faceset(fake_home.settings.library_dir / "faceset_001")
    assert manifest is not None
    assert not any(face.filled for face in manifest.faces)


def test_a_faceset_made_before_sets_were_filled_is_extended_by_its_own_rules(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, -0.45, 0.0, 0.45])
    small_portraits(fake_home.buckets / "a", 1, [0.9, -0.7], 95)
    fake_home.run("a", swap_ready_facesets={"preset": "legacy"})
    before = fake_home.files()
    small_portraits(fake_home.buckets / "b", 1, [0.2], 95)
    fake_home.run("b")
    after = fake_home.files()
    manifest = read_faceset(fake_home.settings.library_dir / "faceset_001")
    assert manifest is not None
    assert len(manifest.faces) == 4
    assert len(manifest.excluded) == 3
    assert {name for name in before if "/faces/" in name and before[name] != after.get(name)} == set()

"""Landmarks, pose, gender and age as an asset: tiny models of the right shapes, through insightface's own classes."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import dagster as dg
import numpy as np
import polars as pl
import pytest

from facesets_dagster.embedding import landmarks, load
from facesets_dagster.faces.landmark_store import LandmarkStore, landmark_schema
from facesets_dagster.photos.bucket_key import LIBRARY
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.landmark_models import PACK_512, YAW, Resource512, expected, write_models


def two_people(home: FakeHome) -> None:
    for person in (1, 2):
        write_person(home.buckets / "b", person, 8)
    home.run("b")


@pytest.fixture
def enriching(fake_home: FakeHome, tmp_path: Path) -> FakeHome:
    """A home with two people, and a pack with landmark models."""
    write_models(tmp_path / "models" / "fake")
    fake_home.embedder = Resource512(models_root=str(tmp_path))
    fake_home.begin(two_people)
    return fake_home


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tasks whose models were opened."""
    tasks: list[str] = []
    real = load.open_enricher

    def noted(model: landmarks.ExtraModel, **options: object) -> landmarks.Enricher:
        tasks.append(model.task)
        return real(model, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("facesets_dagster.resources.embedder.open_enricher", noted)
    return tasks


def enrich(home: FakeHome, **config: object) -> tuple[pl.DataFrame, dict, dg.ExecuteInProcessResult]:
    result = home.materialize("face_landmarks", **({"face_landmarks": config} if config else {}))
    table = pl.read_parquet(home.settings.cache_dir / "tables" / "face_landmarks" / "all.parquet")
    return table, dict(result.asset_materializations_for_node("face_landmarks")[0].metadata), result


def manifest_face(home: FakeHome, faceset: str, rank: int = 1) -> dict:
    return json.loads((home.settings.library_dir / faceset / "manifest.json").read_text())["faces"][rank - 1]


def test_values_are_those_of_the_models_in_px_of_the_photo(enriching: FakeHome) -> None:
    table, metadata, _ = enrich(enriching)
    assert table.select("faceset", "rank").rows() == [("faceset_001", 1), ("faceset_002", 1)]
    assert metadata["computed"].value == {"landmark_2d_106": 2, "landmark_3d_68": 2, "genderage": 2}
    for row in table.iter_rows(named=True):
        face = manifest_face(enriching, row["faceset"])
        image = cv2.imread(str(enriching.buckets / "b" / row["path"]))
        files = ("2d106det.onnx", "1k3d68.onnx", "genderage.onnx")
        flat, deep, guess = (expected(file, image, face["bbox"]) for file in files)
        np.testing.assert_allclose(row["landmark_2d_106"], flat, atol=0.01)
        np.testing.assert_allclose(row["landmark_3d_68"], deep, atol=0.01)
        np.testing.assert_allclose(row["pose"], [0, YAW, 0], atol=0.1)
        assert (row["gender"], row["age"]) == tuple(guess)
    assert table["gender"].to_list() != [0, 0] or table["age"].n_unique() == 2, "the models look at the photo"


def test_a_second_run_opens_no_model_and_reads_no_photo(enriching: FakeHome, opened: list[str]) -> None:
    first, _, _ = enrich(enriching)
    kept = {
        path: path.stat().st_mtime_ns for path in (enriching.settings.cache_dir / "face_landmarks").rglob("*.parquet")
    }
    assert len(kept) == 3
    assert sorted(opened) == ["genderage", "landmark_2d_106", "landmark_3d_68"]
    library = enriching.files()
    for photo in (enriching.buckets / "b").iterdir():
        photo.rename(photo.with_suffix(".gone"))
    second, metadata, _ = enrich(enriching)
    assert second.equals(first)
    assert set(metadata["computed"].value.values()) == {0}
    assert len(opened) == 3
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert enriching.files() == library
    assert enriching.flaws() == []


def test_only_what_is_asked_for_is_computed(enriching: FakeHome, opened: list[str]) -> None:
    table, metadata, _ = enrich(enriching, quantities=["genderage"], facesets=["faceset_002"])
    assert opened == ["genderage"]
    assert table.columns[-2:] == ["gender", "age"]
    assert metadata["computed"].value == {"genderage": 1}
    exported = len(json.loads((enriching.settings.library_dir / "faceset_002" / "manifest.json").read_text())["faces"])
    assert exported > 1
    _, metadata, _ = enrich(enriching, quantities=["genderage"], facesets=["faceset_002"], faces_per_faceset=0)
    assert metadata["computed"].value == {"genderage": exported - 1}, "the first face was on record"


def test_another_model_file_makes_its_own_record(enriching: FakeHome, tmp_path: Path) -> None:
    enrich(enriching)
    write_models(tmp_path / "models" / "fake", ["genderage.onnx"], shift=0.1)
    _, metadata, _ = enrich(enriching)
    assert metadata["computed"].value == {"landmark_2d_106": 0, "landmark_3d_68": 0, "genderage": 2}
    folder = enriching.settings.cache_dir / "face_landmarks" / PACK_512.model_id
    assert len(list(folder.glob("genderage-*.parquet"))) == 2


def test_a_broken_record_is_made_again(enriching: FakeHome) -> None:
    first, _, _ = enrich(enriching)
    (path,) = (enriching.settings.cache_dir / "face_landmarks" / PACK_512.model_id).glob("genderage-*.parquet")
    path.write_bytes(b"no Parquet")
    second, metadata, _ = enrich(enriching)
    assert metadata["computed"].value["genderage"] == 2
    assert second.equals(first)
    assert pl.read_parquet(path).schema == landmark_schema("genderage")


def test_a_photo_that_is_gone_is_reported_and_the_others_are_done(enriching: FakeHome) -> None:
    gone = manifest_face(enriching, "faceset_001")
    (enriching.buckets / "b" / gone["source"]["path"]).unlink()
    table, metadata, result = enrich(enriching)
    assert table["age"].is_null().to_list() == [True, False]
    assert metadata["photos_not_readable"].value == 1
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert gone["face_id"] in check.metadata["faces"].value[0]


def test_the_page_shows_the_faces_with_what_was_found(enriching: FakeHome) -> None:
    table, metadata, _ = enrich(enriching)
    (page,) = (enriching.settings.reports_dir / LIBRARY).glob("*.face_landmarks.html")
    html = page.read_text()
    assert html.count("<img ") == 2
    assert f"{'M' if table['gender'][0] else 'F'} {table['age'][0]}, yaw {YAW:.0f}" in html
    assert page.name in str(metadata["report"].value)


def test_a_pack_without_such_models_has_nothing_to_compute(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "b", 1, 8)
    fake_home.run("b")
    table, metadata, result = enrich(fake_home)
    assert table.is_empty()
    assert metadata["note"].value == "Nothing to compute: the pack of this home has no landmark models."
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_asking_such_a_pack_for_landmarks_is_refused_with_the_reason(fake_home: FakeHome) -> None:
    with pytest.raises(dg.Failure, match=r"`quantities` has 'landmark_3d_68'\. The pack fake .* has models for: none"):
        enrich(fake_home, quantities=["landmark_3d_68"])
    with pytest.raises(dg.Failure, match="`quantities` has 'hair'"):
        enrich(fake_home, quantities=["hair"])


def test_an_unknown_faceset_is_refused(enriching: FakeHome) -> None:
    with pytest.raises(dg.Failure, match="'faceset_099' is no live faceset"):
        enrich(enriching, facesets=["faceset_099"])


def test_two_runs_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    model = landmarks.ExtraModel("genderage", tmp_path / "genderage.onnx", "ab" * 32)
    values = {"gender": np.int64(1), "age": np.int64(41)}

    def add(number: int) -> None:
        LandmarkStore(tmp_path, "model").add(model, [(f"face {number:02d}", values)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    found = LandmarkStore(tmp_path, "model").read(model)
    assert found["face_id"].to_list() == [f"face {number:02d}" for number in range(40)]

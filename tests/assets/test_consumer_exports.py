"""Exports for other programs as an asset: made of the library, read back, kept in step, never over somebody's file."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import dagster as dg
import numpy as np
import polars as pl
import pytest
from filelock import FileLock, Timeout

from facesets_dagster.analysis.published_facesets import Published, published_facesets
from facesets_dagster.photos.bucket_key import LIBRARY
from testing import eras
from testing.consumer_readers import read_rope, read_safetensors, read_visomaster
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_person, write_photo
from testing.labels import give_label
from testing.landmark_models import Resource512, expected, write_models

_FACEFUSIONS_OWN_CODE = """
import glob, hashlib, json, sys
from facefusion.filesystem import filter_image_paths
from facefusion.vision import read_static_images
paths = filter_image_paths(sorted(glob.glob(sys.argv[1] + "/*")))
frames = read_static_images(paths)
print(json.dumps({path: hashlib.sha256(frame.tobytes()).hexdigest() for path, frame in zip(paths, frames)}))
"""


def two_people(home: FakeHome) -> None:
    write_person(home.buckets / "b", 1, 8)
    write_person(home.buckets / "b", 2, 7)
    home.run("b")


@pytest.fixture
def home(fake_home: FakeHome, tmp_path: Path) -> FakeHome:
    """A home of a 512-d pack with landmark models, and two people in it."""
    write_models(tmp_path / "models" / "fake")
    fake_home.embedder = Resource512(models_root=str(tmp_path))
    fake_home.begin(two_people)
    return fake_home


def export(home: FakeHome, **config: object) -> tuple[dict, dict[str, dg.AssetCheckEvaluation]]:
    result = home.materialize("consumer_exports", **({"consumer_exports": config} if config else {}))
    metadata = dict(result.asset_materializations_for_node("consumer_exports")[0].metadata)
    return metadata, {check.check_name: check for check in result.get_asset_check_evaluations()}


def exports(home: FakeHome) -> Path:
    return home.settings.exports_dir


def state(home: FakeHome) -> dict[str, tuple[bytes, int]]:
    root = exports(home)
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def of_library(home: FakeHome, faceset: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Manifest and vectors, read here."""
    folder = home.settings.library_dir / faceset
    with np.load(folder / f"{faceset}.npz", allow_pickle=False) as vectors:
        return json.loads((folder / "manifest.json").read_text()), dict(vectors)


def test_every_export_holds_the_values_of_the_library(home: FakeHome) -> None:
    give_label(home.library.registry, "faceset_002", "Anna")
    metadata, checks = export(home)
    assert "not_fed" not in metadata
    assert all(check.passed for check in checks.values())
    rope = dict(read_rope(exports(home) / "rope" / "merged_embeddings.txt"))
    assert list(rope) == ["faceset_001", "Anna"]
    for faceset, title in (("faceset_001", "faceset_001"), ("faceset_002", "Anna")):
        manifest, vectors = of_library(home, faceset)
        best = manifest["faces"][0]
        tensors, provenance = read_safetensors(exports(home) / "reactor" / f"{faceset}.safetensors")
        assert np.array_equal(tensors["embedding"], vectors["embedding"])
        assert tensors["bbox"].tolist() == best["bbox"]
        assert tensors["kps"].tolist() == best["kps"]
        assert tensors["det_score"] == np.float32(best["det_score"])
        assert json.loads(provenance["facesets"])["face_ids"] == vectors["face_ids"].tolist()
        photo = cv2.imread(str(home.buckets / "b" / best["source"]["path"]))
        np.testing.assert_allclose(
            tensors["landmark_2d_106"], expected("2d106det.onnx", photo, best["bbox"]), atol=0.01
        )
        assert [int(tensors["gender"]), int(tensors["age"])] == list(expected("genderage.onnx", photo, best["bbox"]))
        ((name, embedding),) = read_visomaster(exports(home) / "visomaster" / f"{faceset}.json")
        assert name == title
        assert np.array_equal(embedding, vectors["embedding"])
        assert np.array_equal(rope[title], vectors["embedding"])
        pictures = sorted((exports(home) / "facefusion" / faceset).iterdir())
        assert [path.name for path in pictures] == [f"{rank:04d}.png" for rank in range(1, len(pictures) + 1)]
        published = [home.settings.library_dir / faceset / face["file"] for face in manifest["faces"]]
        assert [path.read_bytes() for path in pictures] == [path.read_bytes() for path in published]
        assert not any(a.samefile(b) for a, b in zip(pictures, published, strict=True)), "an edit must not reach it"


def test_the_second_run_writes_nothing_and_the_library_is_untouched(home: FakeHome) -> None:
    library = home.files()
    export(home)
    before = state(home)
    assert {path.split("/")[0] for path in before} == {"facefusion", "reactor", "rope", "visomaster"}
    metadata, _ = export(home)
    assert metadata["written"].value == 0
    assert state(home) == before
    assert home.files() == library
    assert home.flaws() == []


def test_what_was_deleted_is_made_again_byte_for_byte(home: FakeHome) -> None:
    export(home)
    before = {path: data for path, (data, _) in state(home).items()}
    shutil.rmtree(exports(home))
    export(home)
    assert {path: data for path, (data, _) in state(home).items()} == before


def test_a_face_set_that_is_gone_takes_its_files_along_and_comes_back_with_them(home: FakeHome) -> None:
    export(home)
    before = state(home).keys()
    home.run("b", osrc_clusters={"min_face_short_px": 500})
    metadata, _ = export(home)
    assert metadata["facesets"].value == 0
    assert state(home) == {}
    home.run("b")
    export(home)
    assert state(home).keys() == before
    assert [name for name, _ in read_rope(exports(home) / "rope" / "merged_embeddings.txt")] == [
        "faceset_001",
        "faceset_002",
    ]


def test_a_new_label_changes_only_what_shows_it(home: FakeHome) -> None:
    export(home)
    before = state(home)
    give_label(home.library.registry, "faceset_001", "Bo")
    metadata, _ = export(home)
    changed = {path for path, value in state(home).items() if before[path] != value and ".facesets" not in path}
    assert changed == {
        "reactor/faceset_001.safetensors",
        "rope/merged_embeddings.txt",
        "visomaster/faceset_001.json",
    }
    assert metadata["written"].value == 3


def test_a_file_that_somebody_changed_is_reported_and_left_alone(home: FakeHome) -> None:
    export(home)
    mine = exports(home) / "visomaster" / "faceset_001.json"
    mine.write_text("[]")
    give_label(home.library.registry, "faceset_001", "Bo")
    _, checks = export(home)
    assert mine.read_text() == "[]"
    assert not checks["no_files_in_the_way"].passed
    assert checks["no_files_in_the_way"].metadata["files"].value == [str(mine)]
    page = max(
        (home.settings.reports_dir / LIBRARY).glob("*.consumer_exports.html"), key=lambda path: path.stat().st_mtime
    )
    assert ">faceset_001.json</td>" in page.read_text()


def test_a_named_face_set_is_brought_up_and_the_files_of_others_stay_as_they_are(home: FakeHome) -> None:
    export(home)
    before = state(home)
    metadata, checks = export(home, facesets=["faceset_002"])
    assert (metadata["written"].value, metadata["removed"].value) == (0, 0)
    assert state(home) == before
    assert all(check.passed for check in checks.values())
    for name in ("faceset_001", "faceset_002"):
        give_label(home.library.registry, name, f"Person {name[-1]}")
    export(home, facesets=["faceset_002"])
    changed = {path for path, value in state(home).items() if before[path] != value and ".facesets" not in path}
    assert changed == {
        "reactor/faceset_002.safetensors", "rope/merged_embeddings.txt", "visomaster/faceset_002.json",
    }  # fmt: skip
    rope = read_rope(exports(home) / "rope" / "merged_embeddings.txt")
    assert [name for name, _ in rope] == ["Person 1", "Person 2"], "one file, made anew with all that it holds"


def test_naming_one_after_the_other_gives_what_naming_none_gives(home: FakeHome) -> None:
    for name in ("faceset_001", "faceset_002"):
        give_label(home.library.registry, name, "Anna")
    export(home, facesets=["faceset_002"])
    assert [path.name for path in (exports(home) / "facefusion").iterdir() if path.is_dir()] == ["faceset_002"]
    assert [name for name, _ in read_rope(exports(home) / "rope" / "merged_embeddings.txt")] == ["Anna (faceset_002)"]
    export(home, facesets=["faceset_001"])
    one_by_one = state(home)
    export(home)
    assert state(home) == one_by_one


def test_others_that_are_no_longer_live_go_when_one_is_named_too(home: FakeHome) -> None:
    write_person(home.buckets / "c", 5, 8)
    home.run("c")
    export(home)
    home.run("c", osrc_clusters={"min_face_short_px": 500})
    export(home, facesets=["faceset_001"])
    assert not [path for path in state(home) if "faceset_003" in path]
    assert [name for name, _ in read_rope(exports(home) / "rope" / "merged_embeddings.txt")] == [
        "faceset_001",
        "faceset_002",
    ]


def test_others_go_on_request_or_where_their_files_were_deleted(home: FakeHome) -> None:
    export(home)
    export(home, consumers=["visomaster", "rope"], facesets=["faceset_002"], remove_others=True)
    assert [path.name for path in (exports(home) / "visomaster").glob("f*")] == ["faceset_002.json"]
    rope = exports(home) / "rope" / "merged_embeddings.txt"
    assert [name for name, _ in read_rope(rope)] == ["faceset_002"]
    assert (exports(home) / "facefusion" / "faceset_001").is_dir(), "another consumer's folder"
    rope.unlink()
    shutil.rmtree(exports(home) / "facefusion" / "faceset_002")
    metadata, _ = export(home, facesets=["faceset_001"])
    assert [name for name, _ in read_rope(rope)] == ["faceset_001"]
    assert not (exports(home) / "facefusion" / "faceset_002").exists()
    row = next(line for line in str(metadata["exports"].value).splitlines() if line.startswith("| visomaster"))
    assert row.split(" | ")[-1] == "1 |", "faceset_002 stays there"


def test_faces_that_fill_a_set_up_are_left_out_on_request_and_a_set_of_none_else_goes(home: FakeHome) -> None:
    write_looks(home.buckets / "c", 3, [-0.9, -0.45, 0.0])
    for person, looks in ((3, [0.3, 0.6, 0.9]), (4, [-0.9, -0.45, 0.0, 0.45, 0.9, 0.7])):
        for number, variant in enumerate(looks):
            face = FakeFace(person, variant, size=95)
            write_photo(home.buckets / "c" / f"small_{person}_{number}.png", [face], seed=100 * person + number)
    home.run("c")
    whose = {name: [face["filled"] for face in of_library(home, name)[0]["faces"]] for name in folders_of(home)}
    mixed = next(name for name, filled in whose.items() if 0 < sum(filled) < len(filled))
    small = next(name for name, filled in whose.items() if all(filled))
    export(home)
    assert len(list((exports(home) / "facefusion" / mixed).iterdir())) == len(whose[mixed])
    assert (exports(home) / "visomaster" / f"{small}.json").exists()
    _, checks = export(home, filled=False)
    strict = whose[mixed].count(False)
    assert len(list((exports(home) / "facefusion" / mixed).iterdir())) == strict
    found = read_visomaster(exports(home) / "visomaster" / f"{mixed}.json")
    mean = of_library(home, mixed)[1]["embeddings"][:strict].astype(np.float64).mean(axis=0)
    assert found[0][1] == pytest.approx(mean, abs=1e-5)
    assert [path for path in state(home) if small in path and not path.endswith(".facesets.json")] == []
    assert not checks["every_faceset_exported"].passed
    assert "none of its faces passes" in str(checks["every_faceset_exported"].metadata["left_out"].value)
    export(home)
    assert len(list((exports(home) / "facefusion" / mixed).iterdir())) == len(whose[mixed])


def folders_of(home: FakeHome) -> list[str]:
    return sorted(path.name for path in home.settings.library_dir.glob("faceset_*"))


def test_reactor_computes_only_what_is_not_on_record(home: FakeHome) -> None:
    home.materialize("face_landmarks")
    record = sorted((home.settings.cache_dir / "face_landmarks").rglob("*.parquet"))
    before = [path.stat().st_mtime_ns for path in record]
    for photo in (home.buckets / "b").iterdir():
        photo.unlink()
    _, checks = export(home, consumers=["reactor"])
    assert all(check.passed for check in checks.values())
    assert [path.stat().st_mtime_ns for path in record] == before


def test_a_face_set_whose_photo_is_not_there_is_left_out_and_keeps_its_earlier_file(home: FakeHome) -> None:
    export(home, consumers=["reactor"], facesets=["faceset_001"])
    earlier = state(home)
    for path in (home.settings.cache_dir / "face_landmarks").rglob("*.parquet"):
        path.unlink()
    for photo in (home.buckets / "b").iterdir():
        photo.unlink()
    _, checks = export(home, consumers=["reactor"])
    assert not checks["every_faceset_exported"].passed
    assert checks["every_faceset_exported"].metadata["left_out"].value == [
        f"reactor: {name}: the photo of its best face cannot be read now" for name in ("faceset_001", "faceset_002")
    ]
    assert state(home) == earlier


def test_eras_are_exported_under_their_own_names_and_thin_ones_are_not(fake_home: FakeHome, tmp_path: Path) -> None:
    fake_home.embedder = Resource512(models_root=str(tmp_path))
    eras.meet(fake_home)
    give_label(fake_home.library.registry, "faceset_001", "Anna")
    rope = exports(fake_home) / "rope" / "merged_embeddings.txt"
    eras.split(fake_home, "faceset_001", min_era_faces=50)
    export(fake_home, consumers=["rope"])
    assert eras.names(fake_home) == {eras.FIRST: "thin_era", eras.SECOND: "thin_era"}
    assert [name for name, _ in read_rope(rope)] == ["Anna", "faceset_002"]
    eras.split(fake_home, "faceset_001", min_era_faces=2)
    export(fake_home, consumers=["rope"])
    titles = [f"Anna ({name})" for name in ("faceset_001", eras.FIRST, eras.SECOND)]
    assert [name for name, _ in read_rope(rope)] == [*titles, "faceset_002"]


def test_a_pack_of_another_length_is_refused_with_the_reason(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "b", 1, 8)
    fake_home.run("b")
    metadata, checks = export(fake_home)
    assert set(metadata["not_fed"].value) == {"reactor", "rope", "visomaster"}
    assert all(check.passed for check in checks.values())
    assert [path.name for path in exports(fake_home).iterdir()] == ["facefusion"]
    for consumer in ("reactor", "rope", "visomaster"):
        with pytest.raises(
            dg.Failure, match=f"{consumer} does not fit this model pack: it takes 512-d ArcFace embeddings.*64-d"
        ):
            export(fake_home, consumers=["facefusion", consumer])


def test_reactor_is_refused_where_the_pack_has_no_landmark_models(fake_home: FakeHome, tmp_path: Path) -> None:
    write_models(tmp_path / "models" / "fake", ["genderage.onnx"])
    fake_home.embedder = Resource512(models_root=str(tmp_path))
    write_person(fake_home.buckets / "b", 1, 8)
    fake_home.run("b")
    with pytest.raises(
        dg.Failure, match="reactor does not fit this model pack: its files hold landmark_2d_106, landmark_3d_68, and"
    ):
        export(fake_home, consumers=["reactor"])
    metadata, _ = export(fake_home)
    assert set(metadata["not_fed"].value) == {"reactor"}


def test_a_recogniser_that_is_no_arcface_is_refused(fake_home: FakeHome) -> None:
    fake_home.embedder = Resource512(recogniser="AdaFace_r100.onnx")
    write_person(fake_home.buckets / "b", 1, 8)
    fake_home.run("b")
    with pytest.raises(dg.Failure, match=r"AdaFace_r100\.onnx of the pack fake is no ArcFace model"):
        export(fake_home, consumers=["rope"])


def test_another_arcface_than_the_swappers_is_exported_with_a_warning(fake_home: FakeHome) -> None:
    fake_home.embedder = Resource512(recogniser="w600k_mbf.onnx")
    write_person(fake_home.buckets / "b", 1, 8)
    fake_home.run("b")
    _, checks = export(fake_home, consumers=["rope", "facefusion"])
    assert not checks["recogniser_fits_swapper"].passed
    assert "w600k_mbf.onnx" in checks["recogniser_fits_swapper"].metadata["what_to_know"].value
    _, checks = export(fake_home, consumers=["facefusion"])
    assert checks["recogniser_fits_swapper"].passed, "pictures do not depend on it"


def test_unknown_words_are_refused_with_what_there_is(home: FakeHome) -> None:
    with pytest.raises(dg.Failure, match=r"There is no export for 'photoshop'\. Expected some of: facefusion, reactor"):
        export(home, consumers=["photoshop"])
    with pytest.raises(dg.Failure, match=r"no export for 'deepfacelab': its faceset\.pak holds a pickle"):
        export(home, consumers=["deepfacelab"])
    with pytest.raises(dg.Failure, match="'faceset_099' is no live faceset"):
        export(home, facesets=["faceset_099"])
    assert not exports(home).exists()


def test_a_damaged_library_is_not_exported(home: FakeHome) -> None:
    picture = home.settings.library_dir / "faceset_001" / "faces" / "0001.png"
    picture.write_bytes(picture.read_bytes() + b"!")
    with pytest.raises(dg.Failure, match=r"0001\.png changed since it was published"):
        export(home, consumers=["facefusion"])


@pytest.mark.parametrize(
    ("asset", "module"),
    [
        ("consumer_exports", "facesets_dagster.analysis.consumer_exports"),
        ("face_landmarks", "facesets_dagster.analysis.face_landmarks"),
    ],
)
def test_manifests_are_read_while_nobody_can_publish(
    home: FakeHome, monkeypatch: pytest.MonkeyPatch, asset: str, module: str
) -> None:
    """Half-way through another run's publishing, registry and folders differ, as in a damaged library."""
    held = []

    def watched(*arguments: Any) -> Published:
        with pytest.raises(Timeout):
            FileLock(home.settings.library_dir / ".lock").acquire(timeout=0)
        held.append(asset)
        return published_facesets(*arguments)

    monkeypatch.setattr(f"{module}.published_facesets", watched)
    home.materialize(asset)
    assert held == [asset]


@pytest.mark.slow
def test_facefusions_own_code_reads_the_folder(home: FakeHome, tmp_path: Path) -> None:
    """`facefusionlib`, FaceFusion's code in the package registry; taken as a file, not installed."""
    wheels = tmp_path / "wheels"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(wheels),
    ]
    if subprocess.run([*command, "facefusionlib==1.1.3", "filetype==1.2.0"], check=False).returncode:
        pytest.skip("facefusionlib cannot be had from the package registry here")
    export(home, consumers=["facefusion"])
    folder = exports(home) / "facefusion" / "faceset_001"
    done = subprocess.run(
        [sys.executable, "-c", _FACEFUSIONS_OWN_CODE, str(folder)],
        env={"PYTHONPATH": ":".join(str(wheel) for wheel in wheels.glob("*.whl"))},
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = {
        str(path): hashlib.sha256(cv2.imread(str(path)).tobytes()).hexdigest() for path in sorted(folder.iterdir())
    }
    assert json.loads(done.stdout) == wanted
    assert len(wanted) == len(of_library(home, "faceset_001")[0]["faces"])


def texts_in(path: Path) -> list[bytes]:
    """What a file holds, unpacked."""
    if path.suffix == ".parquet":
        return [str(pl.read_parquet(path).to_dicts()).encode(), str(pl.read_parquet_metadata(path)).encode()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [path.read_bytes(), *(archive.read(name) for name in archive.namelist())]
    return [path.read_bytes()]


def test_no_exported_file_says_where_home_or_photos_lie(home: FakeHome, tmp_path: Path) -> None:
    export(home)
    files = [path for root in (home.settings.library_dir, exports(home)) for path in root.rglob("*") if path.is_file()]
    assert {".png", ".fsz", ".npz", ".parquet", ".json", ".txt", ".safetensors"} <= {path.suffix for path in files}
    place = str(tmp_path).encode()
    assert [path for path in files if path.name != ".lock.json" for text in texts_in(path) if place in text] == []

"""Which file of a pack tells what of a face."""

from pathlib import Path

import onnx
import pytest

from facesets_dagster.embedding.landmarks import ExtraModel
from facesets_dagster.embedding.load import open_enricher
from facesets_dagster.embedding.model_shapes import extra_models, shape_of
from facesets_dagster.embedding.packs import list_packs
from facesets_dagster.errors import SessionFailed
from facesets_dagster.files.writing import sha256_of
from testing.landmark_models import write_models
from tests.embedding.test_packs import DETECTOR, RECOGNISER


def test_landmark_models_are_told_by_their_shapes_whatever_their_names(tmp_path: Path) -> None:
    write_models(tmp_path)
    for number, name in enumerate(("2d106det.onnx", "1k3d68.onnx", "genderage.onnx")):
        (tmp_path / name).rename(tmp_path / f"{number}.onnx")
    (tmp_path / "det.onnx").write_bytes(DETECTOR)
    (tmp_path / "rec.onnx").write_bytes(RECOGNISER)
    assert extra_models(tmp_path) == {
        "landmark_2d_106": tmp_path / "0.onnx",
        "landmark_3d_68": tmp_path / "1.onnx",
        "genderage": tmp_path / "2.onnx",
    }
    assert extra_models(tmp_path / "nothing here") == {}


def test_the_list_of_packs_shows_what_else_they_have(tmp_path: Path) -> None:
    write_models(tmp_path / "models" / "mine", ["genderage.onnx"])
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "x.onnx").write_bytes(b"no ONNX")
    extras = {row.name: row.extras for row in list_packs(tmp_path)}
    assert extras["mine"] == ("genderage",)
    assert extras["broken"] == extras["buffalo_l"] == ()


def test_a_broken_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "genderage.onnx"
    path.write_bytes(b"no ONNX")
    with pytest.raises(SessionFailed, match=r"genderage\.onnx"):
        open_enricher(ExtraModel("genderage", path, sha256_of(path)), providers=("CPUExecutionProvider",), threads=1)


def test_a_model_is_read_once_while_it_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "det.onnx"
    path.write_bytes(DETECTOR)
    read: list[str] = []
    real = onnx.load
    monkeypatch.setattr(onnx, "load", lambda *args, **kinds: read.append(args[0]) or real(*args, **kinds))
    before = shape_of(path)
    assert shape_of(path) == before
    assert len(read) == 1
    path.write_bytes(RECOGNISER)
    assert shape_of(path) != before
    assert len(read) == 2

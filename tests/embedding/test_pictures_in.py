"""What runs on a GPU, here on the CPU: models that take pictures as bytes give what the files' own graphs give."""

import logging
from pathlib import Path

import cv2
import insightface
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facesets_dagster.embedding import faster, load
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.faster import SessionOptions
from facesets_dagster.embedding.models import Scaling, open_detector, open_recogniser

CPU = ("CPUExecutionProvider",)
RNG = np.random.default_rng(5)


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU is taken for a GPU of NVIDIA, and what was loaded before is forgotten."""
    monkeypatch.setattr(faster, "is_nvidia", lambda provider: True)
    monkeypatch.setattr(load, "_LOADED", {})


def opened(pack: str, root: Path, det_size: int, precision: str = "fp32") -> Embedder:
    return load.load_embedder(
        pack, models_root=root, providers=CPU, det_size=det_size, threads=1, recogniser_batch=8, precision=precision
    )


def group_photo() -> NDArray[np.uint8]:
    photo = cv2.imread(str(Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"))
    assert photo is not None
    return np.asarray(photo, np.uint8)


@pytest.mark.parametrize("det_size", [pytest.param(640, marks=pytest.mark.slow), 320])
@pytest.mark.parametrize("pack", ["embedded", "buffalo_sc", "mbf128"])
def test_a_pack_finds_and_embeds_the_same_in_batches_of_pictures(
    request: pytest.FixtureRequest,
    embedded_models_root: Path,
    pack: str,
    det_size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = pack if pack == "embedded" else str(request.getfixturevalue("shared") / "models" / pack)
    plain = opened(name, embedded_models_root, det_size)
    request.getfixturevalue("as_on_a_gpu")
    pictures = opened(name, embedded_models_root, det_size)
    assert type(pictures._detector).__name__ == "_PictureDetector"  # type: ignore[attr-defined]
    assert type(pictures._recogniser).__name__ == "_PictureRecogniser"  # type: ignore[attr-defined]
    photo = group_photo()
    for turned in (photo, np.ascontiguousarray(photo[:, :400]), photo[:1]):
        one, other = plain.detect(turned), pictures.detect(turned)
        assert len(one) == len(other)
        assert np.allclose(one.bbox, other.bbox, atol=1e-2)
        assert np.allclose(one.kps, other.kps, atol=1e-2)
    found = plain.detect(photo)
    assert len(found) == 6
    faces = plain.align(photo, found.kps) * 2  # more than a batch holds
    first, second = plain.recognise(faces), pictures.recognise(faces)
    assert first.shape == second.shape
    cosine = (first * second).sum(axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    assert cosine.min() > 0.99999


def test_half_precision_is_the_recognisers_alone(embedded_models_root: Path, as_on_a_gpu: None) -> None:
    exact, half = (opened("embedded", embedded_models_root, 640, precision) for precision in ("fp32", "fp16"))
    photo = group_photo()
    found = exact.detect(photo)
    assert np.array_equal(found.kps, half.detect(photo).kps)
    one, other = exact.embed(photo, found.kps), half.embed(photo, found.kps)
    assert not np.array_equal(one, other)
    cosine = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert cosine.min() > 0.999


def mixing_model(side: int) -> onnx.ModelProto:
    """Subtracts the mean over all pictures: in a batch every picture counts."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0, 1, 2, 3], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["rest"]),
            helper.make_node("Mul", ["rest", "w"], ["y"]),
        ],
        "mixing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, side, side])],
        [numpy_helper.from_array(np.float32(2).reshape(1), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_model_that_mixes_pictures_up_takes_them_one_by_one_and_it_is_said(
    tmp_path: Path, as_on_a_gpu: None, caplog: pytest.LogCaptureFixture
) -> None:
    onnx.save(mixing_model(64), tmp_path / "det.onnx")
    with caplog.at_level(logging.WARNING):
        detector = open_detector(tmp_path / "det.onnx", 64, Scaling(127.5, 128.0, rgb=True), SessionOptions(CPU, 1))
    assert "det.onnx takes photos one by one, which is slower: in a batch it differs by" in caplog.text
    picture = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    (output,) = detector.outputs(picture, (64, 64))
    planes = (picture[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) - 127.5) / 128
    assert np.allclose(output, (planes - planes.mean()) * 2, atol=1e-4)


def test_a_model_that_cannot_take_pictures_takes_blobs_and_it_is_said(
    tmp_path: Path, as_on_a_gpu: None, caplog: pytest.LogCaptureFixture
) -> None:
    model = mixing_model(112)
    model.graph.node[2].op_type = "MatMul"
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((1, 3, 112, 5), np.float32), "w"))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim[3].dim_value = 5
    shape = helper.make_node("Reshape", ["y", "shape"], ["z"])
    model.graph.node.append(shape)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3 * 112 * 5], np.int64), "shape"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3 * 112 * 5]))
    onnx.save(model, tmp_path / "rec.onnx")
    with caplog.at_level(logging.WARNING):
        recogniser = open_recogniser(tmp_path / "rec.onnx", Scaling(127.5, 127.5, rgb=True), SessionOptions(CPU, 1), 4)
    assert "rec.onnx takes photos one by one, which is slower: " in caplog.text
    assert recogniser.vectors([RNG.integers(0, 256, (112, 112, 3), np.uint8)]).shape == (1, 3 * 112 * 5)

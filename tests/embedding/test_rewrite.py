"""Rewritten graphs, kept memory and our own decoding give what the plain way gives."""

import logging
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from facesets_dagster.embedding import faster
from facesets_dagster.embedding.alignment import align
from facesets_dagster.embedding.blobs import DetectorInput, faces_blob
from facesets_dagster.embedding.faster import SessionOptions, open_fast_session, sample_picture
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.embedding.rewrite import rewrite
from facesets_dagster.embedding.scrfd import fitted_size
from facesets_dagster.errors import ModelPackInvalid
from facesets_dagster.onnx_sessions import open_session

CPU = ("CPUExecutionProvider",)
RNG = np.random.default_rng(3)


def largest_difference(first: ort.InferenceSession, second: ort.InferenceSession, sample: NDArray[np.float32]) -> float:
    """Over all outputs, as a share of each one's largest value; infinite where shapes differ or a number is none."""
    return faster._difference(faster._outputs(first, second, sample))


def small_model(slopes: list[float], *, opset: int = 21) -> onnx.ModelProto:
    """Convolution, PReLU, three convolutions of one input and one of other size, four outputs."""
    weights = {
        "w": RNG.normal(size=(len(slopes), 3, 3, 3)), "slope": np.array(slopes).reshape(-1, 1, 1),
        **{f"w{place}": RNG.normal(size=(place, len(slopes), 3, 3)) for place in (1, 2, 5)},
        **{f"b{place}": RNG.normal(size=place) for place in (1, 2, 5)},
        "w9": RNG.normal(size=(4, len(slopes), 1, 1)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("PRelu", ["c", "slope"], ["p"]),
        *(helper.make_node("Conv", ["p", f"w{n}", f"b{n}"], [f"y{n}"], pads=[1, 1, 1, 1]) for n in (1, 2, 5)),
        helper.make_node("Conv", ["p", "w9"], ["y9"]),
    ]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(f"y{n}", TensorProto.FLOAT, [1, None, 8, 8]) for n in (1, 2, 5, 9)],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("opset", [11, 21])
@pytest.mark.parametrize("slopes", [[0.3, -0.8, 1.0, 0.0], [0.3, -0.8, 1.5, 0.0]], ids=["to one", "over one"])
def test_a_rewritten_graph_computes_the_same(slopes: list[float], opset: int) -> None:
    model = small_model(slopes, opset=opset)
    original = open_session(model.SerializeToString(), providers=CPU, threads=1)
    assert rewrite(model) == 1 + 3
    onnx.checker.check_model(model)
    kinds = [node.op_type for node in model.graph.node]
    assert "PRelu" not in kinds
    assert kinds.count("Conv") == 1 + 1 + 1
    rewritten = open_session(model.SerializeToString(), providers=CPU, threads=1)
    sample = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    assert largest_difference(original, rewritten, sample) < 1e-6
    assert [value.name for value in rewritten.get_outputs()] == ["y1", "y2", "y5", "y9"]


def test_a_slope_that_is_no_number_per_channel_is_left_alone() -> None:
    model = small_model([0.3, 0.2])
    for tensor in model.graph.initializer:
        if tensor.name == "slope":
            tensor.CopyFrom(numpy_helper.from_array(np.full((2, 8, 8), 0.3, np.float32), "slope"))
    rewrite(model)
    assert "PRelu" in [node.op_type for node in model.graph.node]


def test_the_original_is_used_and_it_is_said_if_the_rewritten_graph_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(small_model([0.3, 0.2]), path)

    def spoil(model: onnx.ModelProto) -> int:
        count = rewrite(model)
        (slope,) = [tensor for tensor in model.graph.initializer if tensor.name == "p_slope"]
        slope.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(slope) * 1.01, "p_slope"))
        return count

    sample = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    original = open_session(path, providers=CPU, threads=1)
    used = open_fast_session(path, sample, SessionOptions(CPU, 1))
    assert largest_difference(original, used, sample) < 1e-6
    assert not caplog.records
    monkeypatch.setattr(faster, "rewrite", spoil)
    with caplog.at_level(logging.WARNING):
        used = open_fast_session(path, sample, SessionOptions(CPU, 1))
    assert largest_difference(original, used, sample) == 0
    assert "small.onnx is used as it is, which is slower" in caplog.text


def test_a_model_that_half_precision_would_spoil_is_refused_with_what_to_do(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    model = small_model([0.3, 0.2])
    onnx.save(model, good)
    for tensor in model.graph.initializer:
        if tensor.name == "w":  # products beyond what fp16 can hold
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 60_000, "w"))
    onnx.save(model, bad)
    sample = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    halved = open_fast_session(good, sample, SessionOptions(CPU, 1, "fp16"))
    assert 0 < largest_difference(open_session(good, providers=CPU, threads=1), halved, sample) < 0.01
    with pytest.raises(ModelPackInvalid, match=r"bad\.onnx in fp16 differs.*FACESETS_PRECISION=fp32"):
        open_fast_session(bad, sample, SessionOptions(CPU, 1, "fp16"))


def test_a_number_that_is_none_is_an_infinite_difference() -> None:
    model = small_model([0.3, 0.2])
    first = open_session(model.SerializeToString(), providers=CPU, threads=1)
    for tensor in model.graph.initializer:
        if tensor.name == "b5":
            tensor.CopyFrom(numpy_helper.from_array(np.full(5, np.nan, np.float32), "b5"))
    second = open_session(model.SerializeToString(), providers=CPU, threads=1)
    assert largest_difference(first, second, np.ones((1, 3, 8, 8), np.float32)) == float("inf")


@pytest.mark.parametrize("pack", ["buffalo_sc", "mbf128", "embedded"])
def test_the_models_of_a_pack_really_are_rewritten_and_agree(
    shared: Path, embedded_models_root: Path, pack: str
) -> None:
    folder = embedded_models_root / "models" / "embedded" if pack == "embedded" else shared / "models" / pack
    rewritten = 0
    for path in sorted(folder.glob("*.onnx")):
        side = 640 if "det" in path.name else 112
        pixels = sample_picture(side).transpose(2, 0, 1)[None].astype(np.float32)
        sample = np.ascontiguousarray(pixels if pack == "embedded" else (pixels - 127.5) / 127.5)
        original = open_session(path, providers=CPU, threads=1)
        model = onnx.load(str(path))
        if not rewrite(model):
            continue
        rewritten += 1
        other = open_session(model.SerializeToString(), providers=CPU, threads=1)
        assert largest_difference(original, other, sample) <= faster.TOLERANCE / 10
        assert [node.op_type for node in model.graph.node].count("PRelu") == 0
    assert rewritten == {"buffalo_sc": 2, "mbf128": 1, "embedded": 2}[pack]


def test_the_kept_input_is_blob_from_image_whatever_was_in_it_before() -> None:
    kept = DetectorInput(640, mean=127.5, std=128.0, rgb=True)
    for height, width in ((300, 1200), (700, 500), (3, 2000), (640, 640), (300, 1200)):
        photo = RNG.integers(0, 256, (height, width, 3), np.uint8)
        size = fitted_size(height, width, 640)
        square = np.zeros((640, 640, 3), np.uint8)
        square[: size[0], : size[1]] = cv2.resize(photo, (size[1], size[0]))
        wanted = cv2.dnn.blobFromImage(square, 1 / 128.0, (640, 640), (127.5, 127.5, 127.5), swapRB=True)
        assert np.array_equal(kept.of(photo, size), wanted)


@pytest.mark.parametrize(("mean", "std"), [(127.5, 127.5), (0.0, 1.0)])
def test_the_faces_tensor_is_blob_from_images(mean: float, std: float) -> None:
    faces = [np.asarray(RNG.integers(0, 256, (112, 112, 3)), np.uint8) for _ in range(3)]
    wanted = cv2.dnn.blobFromImages(faces, 1.0 / std, (112, 112), (mean, mean, mean), swapRB=True)
    assert np.array_equal(faces_blob(faces, mean=mean, std=std), wanted)


def photos_of(shared: Path) -> list[NDArray[np.uint8]]:
    paths = [
        *sorted((shared / "data" / "groups").rglob("*.jpg"))[:6],
        *sorted((shared / "data" / "eras").rglob("*.jpg"))[:6],
    ]
    read = [cv2.imread(str(path)) for path in paths]
    return [np.asarray(image, np.uint8) for image in read if image is not None]


def test_faces_are_those_of_insightfaces_own_classes(shared: Path, tmp_path: Path) -> None:
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX
    from insightface.model_zoo.scrfd import SCRFD

    folder = shared / "models" / "buffalo_sc"
    detector = SCRFD(
        str(folder / "det_500m.onnx"), session=open_session(folder / "det_500m.onnx", providers=CPU, threads=1),
        static_shape_sessions=False,
    )  # fmt: skip
    detector.prepare(0, input_size=(640, 640), det_thresh=0.5)
    recogniser = ArcFaceONNX(str(folder / "w600k_mbf.onnx"))
    ours = load_embedder(str(folder), models_root=tmp_path, providers=CPU, det_size=640, threads=1, recogniser_batch=0)
    assert ours.batch == 1
    faces = 0
    for photo in photos_of(shared):
        boxes, kps = detector.detect(photo)
        found = ours.detect(photo)
        assert np.array_equal(found.bbox, boxes[:, :4])
        assert np.array_equal(found.det_score, boxes[:, 4])
        assert np.array_equal(found.kps, kps)
        if not len(found):
            continue
        wanted = recogniser.get_feat(align(photo, kps))
        vectors = ours.embed(photo, found.kps)
        cosine = (wanted * vectors).sum(axis=1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(vectors, axis=1)
        assert cosine.min() > 0.99999
        faces += len(found)
    assert faces >= 30

"""The packs against published references: insightface's own pipeline, OpenCV Zoo's fp32 file, Umeyama's alignment."""

import threading
import warnings
from pathlib import Path

import cv2
import insightface
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from skimage.transform import SimilarityTransform

from facesets_dagster.embedding import load
from facesets_dagster.embedding.alignment import TEMPLATE, align, similarity_transforms
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.fold import fold_block_quantised
from facesets_dagster.embedding.letterbox import fitted_size, non_maximum_suppression
from facesets_dagster.embedding.yunet import decode_outputs
from facesets_dagster.errors import ProviderUnavailable, SessionFailed
from facesets_dagster.onnx_sessions import open_session

CPU = ("CPUExecutionProvider",)


def embedder_of(pack: str, models_root: Path) -> Embedder:
    return load.load_embedder(
        pack, models_root=models_root, providers=CPU, det_size=640, threads=1, recogniser_batch=16
    )


@pytest.fixture(scope="module")
def six_people() -> NDArray[np.uint8]:
    """The photo of six people that insightface ships."""
    image = cv2.imread(str(Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"))
    assert image is not None
    return np.asarray(image, np.uint8)


def overlap(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = np.clip(high - low, 0, None).prod()
    return float(shared / ((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod() - shared))


def test_the_embedded_pack_finds_six_different_people_upright_and_with_eyes_above_mouths(
    embedded_models_root: Path, six_people: NDArray[np.uint8]
) -> None:
    embedder = embedder_of("embedded", embedded_models_root)
    found = embedder.detect(six_people)
    assert len(found) == 6
    assert list(found.det_score) == sorted(found.det_score, reverse=True)
    assert (found.kps[:, 0, 0] < found.kps[:, 1, 0]).all()
    assert (found.kps[:, :2, 1].max(axis=1) < found.kps[:, 3:, 1].min(axis=1)).all()
    vectors = embedder.embed(six_people, found.kps)
    assert vectors.shape == (6, 128)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = (1 - unit @ unit.T)[np.triu_indices(6, k=1)]
    assert distances.min() > 0.5
    mirrored = np.ascontiguousarray(six_people[:, ::-1])
    again = embedder.detect(mirrored)
    assert len(again) == 6
    other = embedder.embed(mirrored, again.kps)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    assert sorted((unit @ other.T).argmax(axis=1)) == list(range(6))
    assert (unit @ other.T).max(axis=1).min() > 0.6


def test_faces_are_embedded_alike_alone_and_in_company(
    embedded_models_root: Path, six_people: NDArray[np.uint8]
) -> None:
    embedder = embedder_of("embedded", embedded_models_root)
    kps = embedder.detect(six_people).kps
    together = embedder.embed(six_people, kps)
    alone = np.concatenate([embedder.embed(six_people, kps[place : place + 1]) for place in range(6)])
    assert np.abs(together - alone).max() < 1e-3
    assert embedder.embed(six_people, kps[:0]).shape == (0, 128)


def test_the_folded_detector_agrees_with_the_published_fp32_file(
    shared: Path, embedded_models_root: Path, six_people: NDArray[np.uint8]
) -> None:
    published = open_session(
        shared / "models" / "opencv_zoo" / "face_detection_yunet_2023mar.onnx", providers=CPU, threads=1
    )
    height, width = fitted_size(*six_people.shape[:2], 640)
    scale = height / six_people.shape[0]
    blob = np.zeros((1, 3, 640, 640), np.float32)
    blob[0, :, :height, :width] = cv2.resize(six_people, (width, height)).transpose(2, 0, 1)
    names = [output.name for output in published.get_outputs()]
    values = published.run(names, {"input": blob})
    wanted = decode_outputs(dict(zip(names, values, strict=True)), 640)
    found = embedder_of("embedded", embedded_models_root).detect(six_people)
    assert len(found) == len(wanted) == 6
    for box, score in zip(found.bbox, found.det_score, strict=True):
        overlaps = [overlap(box, other / scale) for other in wanted.bbox]
        assert max(overlaps) > 0.9
        assert abs(score - wanted.det_score[int(np.argmax(overlaps))]) < 0.05


def test_an_insightface_pack_gives_what_insightface_gives(shared: Path, six_people: NDArray[np.uint8]) -> None:
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX
    from insightface.model_zoo.scrfd import SCRFD

    folder = shared / "models" / "buffalo_sc"
    detector = SCRFD(str(folder / "det_500m.onnx"))
    detector.prepare(-1, input_size=(640, 640), det_thresh=0.5)
    recogniser = ArcFaceONNX(str(folder / "w600k_mbf.onnx"))
    recogniser.prepare(-1)
    boxes, kps = detector.detect(six_people, input_size=(640, 640))
    embedder = embedder_of(str(folder), shared)
    found = embedder.detect(six_people)
    assert np.abs(found.bbox - boxes[:, :4]).max() < 1e-2
    assert np.abs(found.kps - kps).max() < 1e-2
    ours = embedder.embed(six_people, found.kps)
    for place, points in enumerate(kps):
        face = insightface.app.common.Face(bbox=boxes[place, :4], kps=points, det_score=boxes[place, 4])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # insightface calls what scikit-image has renamed
            theirs = recogniser.get(six_people, face)
        cosine = ours[place] @ theirs / np.linalg.norm(ours[place]) / np.linalg.norm(theirs)
        assert cosine > 0.9999


def test_nothing_is_wired_to_512_dimensions(shared: Path, six_people: NDArray[np.uint8]) -> None:
    embedder = embedder_of(str(shared / "models" / "mbf128"), shared)
    assert embedder.pack.dim == 128
    assert embedder.embed(six_people, embedder.detect(six_people).kps).shape == (6, 128)


def test_eight_threads_get_the_same_object(embedded_models_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = load._opened

    def counted(*arguments: object) -> Embedder:
        opened.append("once")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "_opened", counted)
    monkeypatch.setattr(load, "_LOADED", {})
    got: list[Embedder] = []
    threads = [
        threading.Thread(target=lambda: got.append(embedder_of("embedded", embedded_models_root))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["once"]
    assert len({id(embedder) for embedder in got}) == 1


def test_the_model_id_depends_on_weights_and_detector_size(embedded_models_root: Path) -> None:
    def described(size: int) -> str:
        return load.describe_pack("embedded", models_root=embedded_models_root, det_size=size).model_id

    assert described(640) == described(640)
    assert described(640) != described(320)


def test_half_precision_finds_the_same_faces_with_nearly_the_same_vectors_under_another_model_id(
    embedded_models_root: Path, six_people: NDArray[np.uint8]
) -> None:
    exact = embedder_of("embedded", embedded_models_root)
    half = load.load_embedder(
        "embedded", models_root=embedded_models_root, providers=CPU, det_size=640, threads=1, recogniser_batch=16,
        precision="fp16",
    )  # fmt: skip
    assert half.pack.model_id != exact.pack.model_id
    assert (exact.pack.recorded().get("precision"), half.pack.recorded()["precision"]) == (None, "fp16")
    assert half.at(320).pack.precision == "fp16"
    one, other = exact.detect(six_people), half.detect(six_people)
    assert len(one) == len(other) == 6
    for box, kps in zip(one.bbox, one.kps, strict=True):
        assert max(overlap(box, found) for found in other.bbox) > 0.9
        a, b = (embedder.embed(six_people, kps[None])[0] for embedder in (exact, half))
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999
        assert not np.array_equal(a, b)


def test_a_provider_that_is_not_there_is_refused_with_what_to_do(embedded_models_root: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    path = embedded_models_root / "models" / "embedded" / "face_detection_yunet_2023mar.onnx"
    with pytest.raises(ProviderUnavailable, match=r"CUDAExecutionProvider is not available.*FACESETS_PROVIDERS=cpu"):
        open_session(path, providers=("CUDAExecutionProvider", "CPUExecutionProvider"), threads=1)


def test_a_session_that_fell_back_to_the_cpu_is_refused(
    embedded_models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    path = embedded_models_root / "models" / "embedded" / "face_detection_yunet_2023mar.onnx"
    cpu_session = open_session(path, providers=CPU, threads=1)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: cpu_session)
    with pytest.raises(ProviderUnavailable, match="the session got CPUExecutionProvider"):
        open_session(path, providers=("CUDAExecutionProvider", *CPU), threads=1)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(SessionFailed, match=r"broken\.onnx cannot be opened"):
        open_session(tmp_path / "broken.onnx", providers=CPU, threads=1)


def test_blocks_are_dequantised_by_their_own_scale_and_zero_point() -> None:
    weights = np.array([[10, 20, 30, 40, 50]], np.int8).T
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0, block_size=2)
    graph = helper.make_graph(
        [node, helper.make_node("MatMul", ["x", "w"], ["y"])],
        "tiny",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5]),
            helper.make_tensor_value_info("q", TensorProto.INT8, [5, 1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [
            onnx.numpy_helper.from_array(weights, "q"),
            onnx.numpy_helper.from_array(np.array([[0.5], [1.0], [2.0]], np.float32), "s"),
            onnx.numpy_helper.from_array(np.array([[0], [10], [0]], np.int8), "z"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    folded = fold_block_quantised(model.SerializeToString(), free_batch=True)
    assert folded == fold_block_quantised(model.SerializeToString(), free_batch=True)
    session = open_session(folded, providers=CPU, threads=1)
    assert [value.name for value in session.get_inputs()] == ["x"]
    assert session.get_inputs()[0].shape == ["batch", 5]
    rows = session.run(None, {"x": np.eye(5, dtype=np.float32)})[0]
    assert rows.ravel().tolist() == [5.0, 10.0, 20.0, 30.0, 100.0]


def test_the_template_itself_needs_no_transform() -> None:
    assert np.abs(similarity_transforms(TEMPLATE[None])[0] - np.array([[1, 0, 0], [0, 1, 0]])).max() < 1e-9


@given(
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.2, 20),
    shift=st.tuples(st.floats(-500, 5000), st.floats(-500, 5000)),
    noise=st.integers(0, 2**32 - 1),
)
def test_alignment_equals_that_of_scikit_image(
    angle: float, scale: float, shift: tuple[float, float], noise: int
) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    kps = scale * (TEMPLATE + np.random.default_rng(noise).normal(0, 3, (5, 2))) @ turn.T + shift
    expected = SimilarityTransform.from_estimate(kps, TEMPLATE).params[:2]
    other, one = similarity_transforms(np.stack([TEMPLATE * 2, kps]))
    assert np.abs(one - expected).max() < 1e-6 * max(scale, 1)
    assert np.allclose(other[:, :2], np.eye(2) / 2)


def test_an_aligned_face_is_black_beyond_the_photo() -> None:
    image = np.full((50, 50, 3), 200, np.uint8)
    (aligned,) = align(image, TEMPLATE[None] + 60)
    assert aligned.shape == (112, 112, 3)
    assert aligned[0, 0].tolist() == [0, 0, 0]


def test_a_photo_fits_the_square_in_its_proportions() -> None:
    assert fitted_size(300, 1200, 640) == (160, 640)
    assert fitted_size(1200, 300, 640) == (640, 160)
    assert fitted_size(1, 5000, 640) == (1, 640)


def test_suppression_keeps_the_best_of_what_overlaps() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]], np.float32)
    scores = np.array([0.7, 0.9, 0.8], np.float32)
    assert non_maximum_suppression(boxes, scores, 0.3).tolist() == [1, 2]
    assert non_maximum_suppression(boxes, scores, 0.9).tolist() == [1, 2, 0]


def test_yunets_cells_are_decoded_to_pixels() -> None:
    outputs = {}
    for stride in (8, 16, 32):
        cells = (64 // stride) ** 2
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, cells, width), np.float32)
    outputs["cls_16"][0, 6, 0], outputs["obj_16"][0, 6, 0] = 0.81, 1.0  # column 2, row 1 of 4 x 4
    outputs["bbox_16"][0, 6] = [0.5, 0.25, np.log(2), np.log(1)]
    found = decode_outputs(outputs, 64)
    assert found.det_score.tolist() == pytest.approx([0.9])
    assert found.bbox.tolist() == [pytest.approx([40 - 16, 20 - 8, 40 + 16, 20 + 8])]
    assert found.kps[0, 0].tolist() == [32.0, 16.0]

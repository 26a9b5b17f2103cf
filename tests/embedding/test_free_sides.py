"""A detector at another size than its file fixes: the same network, and at its own size the same bits."""

from pathlib import Path

import numpy as np
import pytest

from facesets_dagster.embedding.free_sides import needs_free_sides, write_free_sides
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.embedding.packs import EMBEDDED, find_pack
from facesets_dagster.onnx_sessions import open_session
from testing.fakes import FakeFace, draw_photo

CPU = ("CPUExecutionProvider",)


def test_freed_sides_give_the_same_bits_at_the_size_of_the_file(embedded_models_root: Path, tmp_path: Path) -> None:
    detector = find_pack(EMBEDDED, embedded_models_root).detector
    assert needs_free_sides(detector, 320)
    assert not needs_free_sides(detector, 640)
    fixed = open_session(detector, providers=CPU, threads=1)
    free = open_session(write_free_sides(detector, tmp_path), providers=CPU, threads=1)
    names = [output.name for output in fixed.get_outputs()]
    blob = np.random.default_rng(0).integers(0, 256, (1, 3, 640, 640)).astype(np.float32)
    for wanted, found in zip(fixed.run(names, {"input": blob}), free.run(names, {"input": blob}), strict=True):
        assert np.array_equal(wanted, found)
    small = free.run(names, {"input": blob[:, :, :320, :320].copy()})
    assert [value.shape[1] * 4 for value in small] == [value.shape[1] for value in fixed.run(names, {"input": blob})]


def test_the_same_models_at_another_size_are_loaded_once_and_have_an_id_of_their_own(
    embedded_models_root: Path,
) -> None:
    embedder = load_embedder(
        EMBEDDED, models_root=embedded_models_root, providers=CPU, det_size=640, threads=1, recogniser_batch=0
    )
    assert embedder.at(640) is embedder
    other = embedder.at(320)
    assert other is embedder.at(320)
    assert other.at(640) is embedder
    assert (other.pack.det_size, other.pack.recogniser) == (320, embedder.pack.recogniser)
    assert other.pack.model_id != embedder.pack.model_id


@pytest.mark.parametrize("det_size", [640, 320])
def test_a_face_is_found_at_both_sizes_in_the_same_place(embedded_models_root: Path, det_size: int) -> None:
    import cv2
    import skimage.data

    photo = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    embedder = load_embedder(
        EMBEDDED, models_root=embedded_models_root, providers=CPU, det_size=640, threads=1, recogniser_batch=0
    ).at(det_size)
    found = embedder.detect(photo)
    assert len(found) == 1
    centre = (found.bbox[0, :2] + found.bbox[0, 2:]) / 2
    assert centre == pytest.approx([225, 115], abs=20)
    assert len(embedder.detect(draw_photo([FakeFace(1, 0.0)]))) == 0

"""Photos that one look is known to miss faces in, with the real models."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from skimage import data

from facesets_dagster.embedding.embedder import Detections, Embedder, ModelPack
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.faces.face_cache import Reading, scan_bucket
from facesets_dagster.faces.looking import look_at, one_each
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.photos.decode import turned
from facesets_dagster.photos.listing import list_bucket
from testing.fakes import write_person
from tests.faces.test_face_cache import Bucket

FACE = (180, 70, 270, 180)
"""x1, y1, x2, y2 of the face in the picture of an astronaut that scikit-image ships."""


class Counting:
    """A model that counts its looks."""

    def __init__(self, model: Embedder) -> None:
        self._model, self.looks = model, 0
        self.pack: ModelPack = model.pack
        self.sure_score = model.sure_score

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        self.looks += 1
        return self._model.detect(image)


class SeesMore(Counting):
    """A model that sees a large face of this score at the upper left of every photo of many pixels."""

    def __init__(self, model: Embedder, score: float) -> None:
        super().__init__(model)
        self._more = Detections(
            np.array([[200, 200, 900, 1000]], np.float32),
            np.array([[[400, 500], [700, 500], [550, 650], [430, 800], [670, 800]]], np.float32),
            np.array([score], np.float32),
        )

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        found = super().detect(image)
        return one_each([found, self._more]) if image.shape == (4000, 6000, 3) else found


def opened(pack: str, models_root: Path) -> Embedder:
    return load_embedder(
        pack, models_root=models_root, providers=("CPUExecutionProvider",), det_size=640, threads=1, recogniser_batch=1
    )


@pytest.fixture(scope="module", params=["embedded", "buffalo_sc"])
def model(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "embedded":
        return opened("embedded", request.getfixturevalue("embedded_models_root"))
    shared: Path = request.getfixturevalue("shared")
    return opened(str(shared / "models" / "buffalo_sc"), shared)


def astronaut() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def middle_in_face(found: Detections, box: Sequence[float] = FACE) -> bool:
    x, y = (found.bbox[0, :2] + found.bbox[0, 2:]) / 2
    return bool(box[0] < x < box[2] and box[1] < y < box[3])


@pytest.mark.parametrize("side", [112, 400, 1024])
def test_a_face_that_fills_the_picture_is_found_and_its_box_ends_there(model: Embedder, side: int) -> None:
    x1, y1, x2, y2 = FACE
    crop = cv2.resize(astronaut()[y1:y2, x1:x2], (round(side * 9 / 11), side), interpolation=cv2.INTER_CUBIC)
    found = look_at(np.asarray(crop, np.uint8), model).found
    assert len(found) == 1
    assert found.bbox.min() >= 0
    assert (found.bbox[0, 2:] <= [crop.shape[1], crop.shape[0]]).all()
    assert found.kps[0, 0, 0] < found.kps[0, 1, 0]
    assert found.kps[0, 0, 1] < found.kps[0, 3, 1] < side


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_photo_on_its_side_or_head_is_read_upright(model: Embedder, turn: int) -> None:
    look = look_at(turned(astronaut(), turn), model)
    assert look.turn == 360 - turn
    assert np.array_equal(look.image, astronaut())
    assert middle_in_face(look.found)


def test_an_upright_photo_is_looked_at_once(model: Embedder) -> None:
    counting = Counting(model)
    look = look_at(astronaut(), counting)  # type: ignore[arg-type]
    assert (look.turn, counting.looks) == (0, 1)
    once = model.detect(astronaut())
    assert np.array_equal(look.found.bbox, once.bbox)


def test_a_small_face_of_a_photo_of_many_pixels_is_found_once(model: Embedder) -> None:
    photo = np.full((4000, 6000, 3), (90, 130, 110), np.uint8)
    photo[1500:2012, 3000:3512] = astronaut()
    box = np.array(FACE) + np.array([3000, 1500, 3000, 1500])
    assert not len(model.detect(photo))
    found = look_at(photo, model).found
    assert len(found) == 1
    assert middle_in_face(found, box.tolist())
    alike = model.embed(photo, found.kps), model.embed(astronaut(), model.detect(astronaut()).kps[:1])
    first, second = (vectors[0] / np.linalg.norm(vectors[0]) for vectors in alike)
    assert first @ second > 0.85


@pytest.mark.parametrize("sure", [True, False])
def test_only_a_large_face_that_is_sure_keeps_small_ones_from_being_looked_for(model: Embedder, sure: bool) -> None:
    photo = np.full((4000, 6000, 3), (90, 130, 110), np.uint8)
    photo[1500:2012, 3000:3512] = astronaut()
    seeing = SeesMore(model, model.sure_score + (0.01 if sure else -0.1))
    found = look_at(photo, seeing).found  # type: ignore[arg-type]
    middles = (found.bbox[:, :2] + found.bbox[:, 2:]) / 2 - (3000, 1500)
    inside = ((middles > FACE[:2]) & (middles < FACE[2:])).all(axis=1)
    assert inside.any() != sure


def test_a_picture_without_a_face_has_none_after_all_looks(model: Embedder) -> None:
    look = look_at(np.ascontiguousarray(data.coffee()[..., ::-1]), model)
    assert (len(look.found), look.turn) == (0, 0)


def test_a_scene_of_many_pixels_without_a_face_has_none(model: Embedder) -> None:
    look = look_at(np.full((3024, 4500, 3), (90, 130, 110), np.uint8), model)
    assert (len(look.found), look.turn) == (0, 0)


def found_at(*faces: tuple[float, float, float, float]) -> Detections:
    """Boxes by middle x, y, side and score, with landmarks at fixed places in the box."""
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    corners = np.array([[x - side / 2, y - side / 2] for x, y, side, _ in faces], np.float32)
    sides = np.array([[side] for _, _, side, _ in faces], np.float32)
    kps = corners[:, None] + places[None] * sides[:, None]
    scores = np.array([score for *_, score in faces], np.float32)
    return Detections(np.concatenate([corners, corners + sides], axis=1), kps, scores)


def test_of_two_boxes_of_one_face_the_better_one_stays() -> None:
    once = one_each([found_at((100, 100, 80, 0.7)), found_at((105, 102, 84, 0.9), (300, 100, 80, 0.6))])
    assert once.det_score.tolist() == pytest.approx([0.9, 0.6])


def test_a_box_of_half_a_face_is_one_with_the_face_by_its_landmarks() -> None:
    assert len(one_each([found_at((100, 100, 80, 0.9), (100, 98, 45, 0.8))])) == 1


def test_a_face_before_another_is_none_of_it() -> None:
    assert len(one_each([found_at((100, 100, 80, 0.9), (150, 130, 60, 0.8))])) == 2


def test_a_turned_photo_is_on_record_as_such_and_is_loaded_turned(tmp_path: Path, embedded_models_root: Path) -> None:
    model = opened("embedded", embedded_models_root)
    folder = tmp_path / "buckets" / "a"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "head.png"), turned(astronaut(), 180))
    cv2.imwrite(str(folder / "upright.png"), astronaut())
    store = FaceStore(tmp_path / "cache", "a", model.pack.model_id, model.pack.dim)
    reading = Reading(lambda: model, workers=1, max_pixels=10**6, retry_failed=False, report=lambda *_: None)
    tables = scan_bucket(list_bucket(folder), store, reading).tables
    turns = dict(tables.faces.select("path", "turn").iter_rows())
    assert turns == {"head.png": 180, "upright.png": 0}
    assert sorted(tables.contents["turn"].to_list()) == [0, 180]
    load = photo_loader({"a": folder}, tables.faces, 10**6)
    for sha256 in tables.faces["sha256"]:
        assert np.array_equal(load(sha256), astronaut())
    assert len(tables.faces["bbox"].unique()) == 1


def test_what_an_older_release_found_no_face_in_is_looked_at_once_more(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 3)
    cv2.imwrite(str(bucket.folder / "scene.png"), np.full((60, 80, 3), 120, np.uint8))
    tables = bucket.scan().tables
    older = tables.contents.with_columns(look=pl.lit(None, pl.Int16))
    bucket.store.compact(CacheTables(tables.faces, older, tables.files))
    again = bucket.scan()
    assert (again.opened, again.decoded) == (1, 1)
    assert again.tables.faces.equals(tables.faces)
    assert bucket.scan().opened == 0

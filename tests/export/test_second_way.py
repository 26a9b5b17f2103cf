"""Faces that no plain crop shows: at the edge of a photo, and tilted ones, on which landmarks go astray."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.embedding.embedder import Detections
from facesets_dagster.export.crop import CropFrame, CropPlan, clipped_plans, roll_of, square_crop, upright_plans
from facesets_dagster.export.crop_check import Likeness, look_again
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.face_crop import face_crop
from facesets_dagster.export.png import read_lineage
from facesets_dagster.identities.gates import Verdict
from testing.fakes import PACK, FakeEmbedder, FakeFace, draw_photo, person_vector

PARAMETERS = ExportParameters(100, 0.45, 0.95, 8, 512, 0.5)
NOBODY = np.zeros((0, 4), np.float32)
FACE = FakeFace(1, 0.0, x=220, y=160)
PERSON = person_vector(1, 0.0).astype(np.float32)


class Strict(FakeEmbedder):
    """Finds a face only where its box is nearly square and full: neither drawn out nor tilted.

    At 640 it finds tilted ones too, as a detector does that puts landmarks astray at one size.
    """

    def detect(self, image: np.ndarray) -> Detections:
        found = super().detect(image)
        saturated = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 1] > 100
        good = [self._good(box, saturated) for box in found.bbox.astype(int)]
        return Detections(found.bbox[good], found.kps[good], found.det_score[good])

    def _good(self, box: np.ndarray, saturated: np.ndarray) -> bool:
        x1, y1, x2, y2 = box
        square = 0.95 < (x2 - x1) / (y2 - y1) < 1.05
        return square and (self.pack.det_size == 640 or saturated[y1:y2, x1:x2].mean() > 0.9)


def tilted(degrees: float) -> np.ndarray:
    """A photo of `FACE`, turned clockwise about the face."""
    photo = draw_photo([FACE])
    matrix = cv2.getRotationMatrix2D((FACE.x + 79.5, FACE.y + 79.5), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(photo, matrix, photo.shape[1::-1], flags=cv2.INTER_NEAREST,
                                     borderMode=cv2.BORDER_REPLICATE), np.uint8)  # fmt: skip


def row_of(photo: np.ndarray, degrees: float = 0.0) -> dict[str, object]:
    """The face table's row, with landmarks turned clockwise."""
    embedder = FakeEmbedder()
    found = embedder.detect(photo)
    (bbox,), (kps,) = found.bbox, found.kps
    angle, centre = np.radians(degrees), kps.mean(axis=0)
    turned = (kps - centre) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + centre
    return {
        "face_id": "f", "truncated": False, "bucket": "b", "sha256": "s", "model_id": PACK.model_id,
        "bbox": bbox.tolist(),
        "kps": turned.tolist(), "embedding": embedder.embed(photo, found.kps)[0].tolist(),
    }  # fmt: skip


def crop_of(photo: np.ndarray, degrees: float = 0.0, person: np.ndarray = PERSON) -> bytes | Verdict:
    return face_crop(row_of(photo, degrees), person, PARAMETERS, Strict, lambda _: photo, NOBODY, None)


def made(png: bytes | Verdict) -> dict:
    assert isinstance(png, bytes), png
    lineage = read_lineage(io.BytesIO(png))
    assert lineage is not None
    crop = lineage["crop"]
    assert isinstance(crop, dict)
    return crop


def test_a_face_that_the_photo_cuts_off_is_not_drawn_out() -> None:
    assert made(crop_of(draw_photo([FakeFace(1, 0.0, x=200, y=0)]))) == {
        "padding": 0.5, "border": "black", "neighbours_painted_out": False, "looked_at": [640, 320],
    }  # fmt: skip


@pytest.mark.parametrize("degrees", [-35, 30])
def test_a_tilted_face_of_which_no_crop_is_good_is_set_upright(degrees: float) -> None:
    crop = made(crop_of(tilted(degrees), degrees))
    assert (crop["turned"], crop["border"]) == (pytest.approx(degrees, abs=0.5), "black")


def test_a_good_crop_of_a_tilted_face_is_not_turned() -> None:
    photo = draw_photo([FACE])
    assert "turned" not in made(crop_of(photo, 30))


def test_an_upright_crop_of_somebody_else_is_refused_for_what_the_first_crop_showed() -> None:
    somebody_else = person_vector(2, 0.0).astype(np.float32)
    assert crop_of(tilted(30), 30, somebody_else) == Verdict("crop_failed:no_face_found", None, 1.0)


def test_an_upright_crop_counts_only_where_all_sizes_see_nearly_the_same() -> None:
    class OfTwoMinds(FakeEmbedder):
        """Takes the landmarks at 320 for those of another look: within the limit for the person, not for the crop."""

        def detect(self, image):  # type: ignore[no-untyped-def]
            found = super().detect(image)
            centre = found.kps.mean(axis=1, keepdims=True)
            scale = 1.0 if self.pack.det_size == 640 else 0.5
            return Detections(found.bbox, centre + (found.kps - centre) * scale, found.det_score)

        def recognise(self, faces):  # type: ignore[no-untyped-def]
            return np.array([person_vector(1, 0.0 if face.shape[1] > 50 else 0.9) for face in faces], np.float32)

    photo = draw_photo([FACE])
    own, likeness = np.array([220, 160, 380, 320], np.float32), Likeness(PERSON, PERSON, 0.45)
    assert look_again(photo, own, likeness, OfTwoMinds()).verdict is None
    verdict = look_again(photo, own, likeness, OfTwoMinds(), turned=True).verdict
    assert verdict is not None
    assert (verdict.state, verdict.threshold) == ("crop_failed:looks_different", 0.15)


def test_roll_is_measured_clockwise() -> None:
    photo = tilted(30)
    assert roll_of(np.array(row_of(photo, 30)["kps"], np.float32)) == pytest.approx(30, abs=0.5)
    assert roll_of(np.array(row_of(photo, 0)["kps"], np.float32)) == pytest.approx(0, abs=0.5)


def test_an_upright_face_inside_its_photo_has_no_second_way() -> None:
    assert list(upright_plans(0.5, 5.0)) == []
    assert list(clipped_plans(0.5, np.array([200, 200, 300, 300], np.float32), (480, 640, 3))) == []
    assert [plan.padding for plan in clipped_plans(0.5, np.array([200, 40, 300, 140], np.float32), (480, 640, 3))] == [
        0.5
    ]


@settings(deadline=None, max_examples=40)
@given(x=st.floats(0, 600), y=st.floats(0, 400), turn=st.floats(-90, 90))
def test_a_box_of_a_turned_crop_lies_where_its_pixels_do(x: float, y: float, turn: float) -> None:
    face = np.array([250, 180, 350, 280], np.float32)
    frame = CropFrame.around(face, CropPlan(1.0, "black", True, turn), 300)
    dot = np.array([[x, y, x + 8, y + 8]], np.float32)
    placed = frame.into_crop(dot)
    np.testing.assert_allclose(frame.into_photo(placed), dot, atol=1e-2)
    photo = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(photo, (round(x + 4), round(y + 4)), 4, (255, 255, 255), -1)
    crop = square_crop(photo, face, NOBODY, CropPlan(1.0, "black", True, turn), 300)
    centre = placed[0].reshape(2, 2).mean(axis=0)
    if (centre > 6).all() and (centre < 294).all() and x < 630 and y < 470:
        rows, columns = np.nonzero(crop[..., 0] > 128)
        np.testing.assert_allclose([columns.mean(), rows.mean()], centre, atol=1.5)

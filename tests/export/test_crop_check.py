"""Crops are looked at as consumers will, at their sizes too, and who shows up beside the face is painted out."""

import io
import json

import cv2
import numpy as np
import pytest

from facesets_dagster.errors import PhotoError
from facesets_dagster.export.crop_check import Likeness, look_again
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.face_crop import face_crop
from facesets_dagster.export.png import read_lineage
from facesets_dagster.identities.gates import Verdict
from testing.fakes import PACK, FakeFace, draw_photo
from testing.sharp_eyes import SharpAt320

PARAMETERS = ExportParameters(100, 0.45, 0.95, 8, 512, 0.5)
FACE = FakeFace(1, 0.0, x=200, y=150)
SMALL = FakeFace(2, 0.0, x=380, y=160, size=24)
NOBODY = np.zeros((0, 4), np.float32)


def row_of(photo: np.ndarray) -> dict[str, object]:
    """The face table's row of the only face that 640 finds."""
    embedder = SharpAt320()
    found = embedder.detect(photo)
    assert len(found) == 1
    return {
        "face_id": "f", "truncated": False, "bucket": "b", "sha256": "s", "model_id": PACK.model_id,
        "bbox": found.bbox[0].tolist(),
        "kps": found.kps[0].tolist(),
        "embedding": embedder.embed(photo, found.kps)[0].tolist(),
    }  # fmt: skip


def crop_of(photo: np.ndarray, published: bytes | None = None, embedder: SharpAt320 | None = None) -> bytes | Verdict:
    eyes = embedder or SharpAt320()
    row = row_of(photo)
    person = np.asarray(row["embedding"], np.float32)
    return face_crop(row, person, PARAMETERS, lambda: eyes, lambda _: photo, NOBODY, published)


def pixels(png: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def made(png: bytes) -> dict:
    lineage = read_lineage(io.BytesIO(png))
    assert lineage is not None
    return json.loads(json.dumps(lineage["crop"]))


def test_a_face_that_only_320_finds_fails_the_crop_and_is_told_where_it_is() -> None:
    photo = draw_photo([FACE, SMALL])
    row = row_of(photo)
    own = np.asarray(row["bbox"], np.float32)
    source = np.asarray(row["embedding"], np.float32)
    look = look_again(photo, own, Likeness(source, source, 0.45), SharpAt320())
    assert look.verdict == Verdict("crop_failed:several_faces_found", 2.0, 1.0)
    assert look.others.tolist() == [[380, 160, 404, 184]]


def test_such_a_face_is_painted_out_before_the_crop_gets_tighter() -> None:
    png = crop_of(draw_photo([FACE, SMALL]))
    assert isinstance(png, bytes)
    assert made(png) == {
        "padding": 0.5, "border": "replicate", "neighbours_painted_out": True, "looked_at": [640, 320],
    }  # fmt: skip
    assert len(SharpAt320().at(320).detect(pixels(png))) == 1


def test_a_good_crop_is_the_wanted_one() -> None:
    png = crop_of(draw_photo([FACE]))
    assert isinstance(png, bytes)
    assert made(png)["border"] == "reflect"
    assert made(png)["padding"] == 0.5


def test_what_cannot_be_helped_is_excluded_with_its_reason() -> None:
    class Twofold(SharpAt320):
        """Sees the face twice at 320, wherever it is."""

        def detect(self, image):  # type: ignore[no-untyped-def]
            found = super().detect(image)
            if self.pack.det_size == 640:
                return found
            return type(found)(*(np.concatenate([part, part]) for part in (found.bbox, found.kps, found.det_score)))

    outcome = crop_of(draw_photo([FACE]), embedder=Twofold())
    assert outcome == Verdict("crop_failed:several_faces_found", 2.0, 1.0)


def test_a_published_picture_that_was_looked_at_is_given_out_again_without_a_look() -> None:
    photo = draw_photo([FACE, SMALL])
    png = crop_of(photo)
    assert isinstance(png, bytes)
    embedder = SharpAt320()
    assert crop_of(photo, png, embedder) == png
    assert embedder.detected == 0


@pytest.mark.parametrize("neighbours", [[], [SMALL]])
def test_a_picture_of_an_older_release_is_made_again_only_where_a_consumer_sees_somebody_else(
    neighbours: list[FakeFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = draw_photo([FACE, *neighbours])
    with monkeypatch.context() as older:
        for module in ("crop_check", "face_crop"):
            older.setattr(f"facesets_dagster.export.{module}.CONSUMER_DET_SIZES", ())
        before = crop_of(photo)
    assert isinstance(before, bytes)
    after = crop_of(photo, before)
    assert isinstance(after, bytes)
    assert (after == before) == (not neighbours)
    assert len(SharpAt320().at(320).detect(pixels(after))) == 1


def test_a_picture_of_an_older_release_stays_where_its_photo_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = draw_photo([FACE, SMALL])
    with monkeypatch.context() as older:
        for module in ("crop_check", "face_crop"):
            older.setattr(f"facesets_dagster.export.{module}.CONSUMER_DET_SIZES", ())
        before = crop_of(photo)
    assert isinstance(before, bytes)

    def gone(_: str) -> np.ndarray:
        raise PhotoError("gone", "it is gone")

    row = row_of(photo)
    person = np.asarray(row["embedding"], np.float32)
    assert face_crop(row, person, PARAMETERS, SharpAt320, gone, NOBODY, before) == before


class HalfPhoto:
    """A photo of which the rows from `first` on were never decoded."""

    def __init__(self, photo: np.ndarray, first: int, *, gone: bool = False) -> None:
        self._photo, self._gone = photo.copy(), gone
        self._photo[first:] = 128
        self._undecoded = np.zeros(photo.shape[:2], bool)
        self._undecoded[first:] = True

    def __call__(self, sha256: str) -> np.ndarray:
        if self._gone:
            raise PhotoError("source_missing", "gone")
        return self._photo

    def undecoded(self, sha256: str) -> np.ndarray:
        self(sha256)
        return self._undecoded


@pytest.mark.parametrize(
    ("first", "share"), [(480, 0.0), (390, 0.0), (389, 1 / 320), (311, 79 / 320), (240, 150 / 320)]
)
@pytest.mark.parametrize("published", [None, b"a picture of an earlier run"])
def test_a_face_whose_crop_reaches_into_what_was_never_decoded_is_not_exported(
    first: int, share: float, published: bytes | None
) -> None:
    """The face ends at row 310, its crop at row 390."""
    row = {**row_of(draw_photo([FACE])), "truncated": True}
    person = np.asarray(row["embedding"], np.float32)
    half = HalfPhoto(draw_photo([FACE]), first)
    if published is not None and not share:
        return
    outcome = face_crop(row, person, PARAMETERS, SharpAt320, half, NOBODY, published)
    if share:
        assert isinstance(outcome, Verdict)
        assert (outcome.state, outcome.threshold) == ("cut_off", 0.0)
        assert outcome.value == pytest.approx(share)
    else:
        assert isinstance(outcome, bytes)


def test_a_picture_of_a_photo_that_is_gone_stays() -> None:
    row = {**row_of(draw_photo([FACE])), "truncated": True}
    before = crop_of(draw_photo([FACE]))
    assert isinstance(before, bytes)
    gone = HalfPhoto(draw_photo([FACE]), 300, gone=True)
    assert (
        face_crop(row, np.asarray(row["embedding"], np.float32), PARAMETERS, SharpAt320, gone, NOBODY, before) == before
    )

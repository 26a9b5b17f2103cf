"""Small grey pictures of faces: the same for copies of a photo, kept, and made only once."""

from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facesets_dagster.errors import PhotoError
from facesets_dagster.faces import face_pictures
from facesets_dagster.faces.face_pictures import SIDE, FacePictures, KeptPictures, face_picture

KPS = np.array([[130, 140], [190, 141], [161, 175], [136, 205], [186, 204]], np.float64)


def photo() -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (24, 24, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (320, 320), interpolation=cv2.INTER_CUBIC), np.uint8)


def alike(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def faces(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "face_id": [f"face{row}" for row in range(count)],
            "sha256": [f"photo{row}" for row in range(count)],
            "kps": pl.Series(np.array([KPS] * count, np.float32), dtype=pl.Array(pl.Float32, (5, 2))),
        }
    )


def test_a_smaller_a_turned_and_a_cropped_copy_give_the_same_picture() -> None:
    original = photo()
    shown = face_picture(original, KPS)
    assert shown.shape == (SIDE, SIDE)
    half = cv2.resize(original, (160, 160), interpolation=cv2.INTER_AREA)
    assert alike(shown, face_picture(half, KPS / 2)) > 0.98
    quarter = np.ascontiguousarray(np.rot90(original))
    turned = np.stack([KPS[:, 1], 319 - KPS[:, 0]], axis=1)
    assert alike(shown, face_picture(quarter, turned)) > 0.98
    assert alike(shown, face_picture(np.ascontiguousarray(original[40:300, 40:300]), KPS - 40)) > 0.98


def test_a_mirrored_copy_gives_the_mirrored_picture() -> None:
    original = photo()
    mirrored = np.stack([319 - KPS[[1, 0, 2, 4, 3], 0], KPS[[1, 0, 2, 4, 3], 1]], axis=1)
    shown = face_picture(np.ascontiguousarray(original[:, ::-1]), mirrored)
    assert alike(face_picture(original, KPS), shown[:, ::-1]) > 0.9


def test_a_face_at_the_corner_and_one_outside_have_a_picture() -> None:
    for moved in (-150, 150, 600):
        assert face_picture(photo(), KPS + moved).shape == (SIDE, SIDE)


def test_pictures_are_kept_and_a_photo_that_is_gone_is_left_out(tmp_path: Path) -> None:
    loaded: list[str] = []

    def load(sha256: str) -> NDArray[np.uint8]:
        loaded.append(sha256)
        if sha256 == "photo2":
            raise PhotoError("source_missing", "gone")
        return photo()

    kept = KeptPictures(tmp_path, "model")
    found = FacePictures(faces(3), load, kept)(["face0", "face1", "face2"])
    assert sorted(found) == ["face0", "face1"]
    kept.write()
    again = FacePictures(faces(3), load, KeptPictures(tmp_path, "model"))(["face0", "face1"])
    assert sorted(loaded) == ["photo0", "photo1", "photo2"]
    assert np.array_equal(again["face1"], found["face1"])
    (tmp_path / "face_pictures" / "model.parquet").write_bytes(b"damaged")
    assert sorted(FacePictures(faces(3), load, KeptPictures(tmp_path, "model"))(["face0"])) == ["face0"]


def test_a_run_writes_its_pictures_once_beside_those_of_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    write = face_pictures.write_parquet
    monkeypatch.setattr(face_pictures, "write_parquet", lambda path, *rest: (written.append(path), write(path, *rest)))
    one, other = KeptPictures(tmp_path, "model"), KeptPictures(tmp_path, "model")
    for number in range(3):
        FacePictures(faces(3), lambda _: photo(), one)([f"face{number}"])
    FacePictures(faces(4), lambda _: photo(), other)(["face3"])
    assert written == []
    for kept in (one, other, one):
        kept.write()
    assert len(written) == 2
    assert sorted(KeptPictures(tmp_path, "model").find(f"face{number}" for number in range(5))) == [
        "face0", "face1", "face2", "face3",
    ]  # fmt: skip

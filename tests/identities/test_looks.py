"""Copies of one photo are one look; other photos of the person are not."""

from collections.abc import Sequence

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facesets_dagster.identities.looks import ClusterFaces, look_numbers, looks_of, no_pictures

SIDE = 26
KPS = np.array([[30, 40], [70, 41], [51, 60], [36, 82], [66, 81]], np.float64)


def picture(seed: int) -> NDArray[np.uint8]:
    """A smooth grey picture."""
    coarse = np.random.default_rng(seed).integers(0, 255, (7, 7)).astype(np.float64)
    fine = np.kron(coarse, np.ones((4, 4)))[:SIDE, :SIDE]
    return np.asarray(fine, np.uint8)


def mirrored(kps: NDArray[np.float64], width: float = 100) -> NDArray[np.float64]:
    return np.stack([width - kps[[1, 0, 2, 4, 3], 0], kps[[1, 0, 2, 4, 3], 1]], axis=1)


def cluster(
    count: int, *, kps: Sequence[NDArray[np.float64]] | None = None, spread: float = 0.02, dim: int = 32
) -> ClusterFaces:
    noise = np.random.default_rng(7).normal(0, spread, (count, dim))
    unit = np.ones((count, dim)) / np.sqrt(dim) + noise
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    ids = [f"face{row:05d}" for row in range(count)]
    photos = np.array([f"photo{row}" for row in range(count)], object)
    return ClusterFaces(ids, photos, unit.astype(np.float32), np.array(kps if kps is not None else [KPS] * count))


def numbers(faces: ClusterFaces, pictures: dict[str, NDArray[np.uint8]], enough: int = 6) -> list[int] | None:
    found = look_numbers(faces, 0.8, enough, lambda ids: {one: pictures[one] for one in ids if one in pictures})
    return None if found is None else found.tolist()


def test_copies_in_any_size_and_turn_are_one_look() -> None:
    turned = [KPS, KPS * 3, KPS + 500, KPS @ np.array([[0.98, 0.2], [-0.2, 0.98]]), KPS * 0.5, KPS, KPS, KPS]
    faces = cluster(8, kps=turned)
    assert numbers(faces, dict.fromkeys(faces.ids, picture(1))) == [0] * 8


def test_mirrored_brighter_and_slightly_moved_copies_are_one_look() -> None:
    faces = cluster(6, kps=[KPS, mirrored(KPS), KPS, KPS, mirrored(KPS), KPS])
    shown = picture(1)
    darker = np.asarray(shown * 0.5 + 20, np.uint8)
    moved = np.roll(shown, 1, axis=1)
    pictures = dict(zip(faces.ids, [shown, shown[:, ::-1], darker, moved, darker[:, ::-1], shown], strict=True))
    assert numbers(faces, pictures) == [0] * 6


def test_copies_whose_landmarks_were_found_elsewhere_are_one_look() -> None:
    """Turned, scaled and moved by 2 px at once: as they lie the pictures are not alike."""
    shown = cv2.resize(np.random.default_rng(4).integers(0, 255, (9, 9)).astype(np.uint8), (60, 60), interpolation=2)
    matrices = [cv2.getRotationMatrix2D((30, 30), turn, size) for turn, size in ((0, 1), (4, 1.06), (-5, 0.95), (3, 1))]
    for matrix, move in zip(matrices, (0, 2, -1, 2), strict=True):
        matrix[:, 2] += move
    pictures = [cv2.warpAffine(shown, matrix, (60, 60))[17:43, 17:43] for matrix in matrices]
    pictures += [pictures[1][:, ::-1], picture(3)]
    assert min(np.corrcoef(pictures[0].ravel(), other.ravel())[0, 1] for other in pictures[1:4]) < 0.9
    faces = cluster(6)
    assert numbers(faces, dict(zip(faces.ids, pictures, strict=True))) == [0, 0, 0, 0, 0, 1]


def test_other_photos_of_one_moment_stay_photos_of_their_own() -> None:
    faces = cluster(6)
    found = numbers(faces, {face_id: picture(row) for row, face_id in enumerate(faces.ids)})
    assert found is not None
    assert sorted(found) == list(range(6))


def test_faces_of_one_file_are_one_look_even_if_they_differ() -> None:
    faces = cluster(6)
    photos = np.array(["one", "one", *faces.photos[2:]], object)
    pictures = {face_id: picture(row) for row, face_id in enumerate(faces.ids)}
    found = numbers(ClusterFaces(faces.ids, photos, faces.unit, faces.kps), pictures)
    assert found is not None
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_pictures_are_asked_for_only_where_they_can_decide() -> None:
    def refuse(ids: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
        raise AssertionError(f"{len(ids)} pictures were made for nothing")

    faces = cluster(20, spread=0.5)
    assert look_numbers(faces, 0.8, 6, refuse) is None


def test_only_faces_with_a_near_one_are_looked_at() -> None:
    faces = cluster(8)
    unit = faces.unit.copy()
    unit[7] = np.eye(32, dtype=np.float32)[0]
    asked: list[str] = []

    def pictures(ids: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
        asked.extend(ids)
        return dict.fromkeys(ids, picture(1))

    found = look_numbers(ClusterFaces(faces.ids, faces.photos, unit, faces.kps), 0.8, 6, pictures)
    assert asked == list(faces.ids[:7])
    assert found is not None
    assert found.tolist() == [0] * 7 + [1]


def test_photos_that_cannot_be_read_are_taken_for_photos_of_their_own() -> None:
    found = look_numbers(cluster(6), 0.8, 6, no_pictures)
    assert found is not None
    assert sorted(found.tolist()) == list(range(6))


def test_a_long_series_of_frames_is_more_than_one_look() -> None:
    frames = 40
    angles = np.linspace(0, 1.5 * np.pi, frames)
    unit = np.zeros((frames, 4), np.float32)
    unit[:, 0], unit[:, 1] = np.cos(angles), np.sin(angles)
    faces = cluster(frames)
    series = ClusterFaces(faces.ids, faces.photos, unit, faces.kps)
    found = numbers(series, dict.fromkeys(faces.ids, picture(1)), enough=41)
    assert found is not None
    assert 2 <= len(set(found)) < frames


def looks(faces: ClusterFaces, pictures: dict[str, NDArray[np.uint8]], similarity: float = 0.8) -> list[int]:
    columns = {"face_id": faces.ids, "sha256": faces.photos.tolist(), "kps": faces.kps}
    rows = pl.DataFrame({**columns, "kps": pl.Series(faces.kps, dtype=pl.Array(pl.Float64, (5, 2)))})
    found = looks_of(rows, faces.unit, similarity, lambda ids: {one: pictures[one] for one in ids if one in pictures})
    return found.tolist()


def test_each_face_has_the_first_of_its_look() -> None:
    faces = cluster(7)
    shown = dict(zip(faces.ids, [picture(number) for number in (1, 2, 1, 3, 2, 1, 4)], strict=True))
    assert looks(faces, shown) == [0, 1, 0, 3, 1, 0, 6]
    assert looks(faces, shown, similarity=0) == list(range(7))
    assert looks(faces, {}) == list(range(7))


def test_every_pair_is_judged_however_many_faces_there_are() -> None:
    faces = cluster(700, dim=512, spread=0.5)  # nobody is near anybody
    unit = faces.unit.copy()
    unit[1], unit[698] = unit[300], unit[5]
    alike = ClusterFaces(faces.ids, faces.photos, unit, faces.kps)
    expected = list(range(700))
    expected[300], expected[698] = 1, 5
    assert looks(alike, dict.fromkeys(faces.ids, picture(1))) == expected


def test_of_more_faces_than_are_judged_the_rest_go_with_the_one_that_they_resemble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("facesets_dagster.identities.looks._JUDGED", 50)
    here = cluster(60, dim=64)
    apart = here.unit[30:] - 2 * here.unit[30:].mean(axis=0)  # another moment
    faces = ClusterFaces(here.ids, here.photos, np.concatenate([here.unit[:30], apart]), here.kps)
    shown = {face_id: picture(1 if row < 30 else 2) for row, face_id in enumerate(faces.ids)}
    assert looks(faces, shown) == [0] * 30 + [30] * 30


@pytest.mark.parametrize("count", [1, 3000])
def test_any_number_of_copies_is_one_look(count: int) -> None:
    faces = cluster(count)
    assert numbers(faces, dict.fromkeys(faces.ids, picture(1)), enough=2) == [0] * count

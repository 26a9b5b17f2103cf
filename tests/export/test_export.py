"""Curation, crops, archives: what ends up in a faceset's folder."""

import io
import json
import tracemalloc
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.export.crop import CropFrame, CropPlan, crop_plans, square_crop, wanted_border
from facesets_dagster.export.curation import ExportParameters, curate
from facesets_dagster.export.folder import flat_zip
from facesets_dagster.export.pictures import PictureFile, in_memory
from facesets_dagster.export.png import encode_png, read_lineage
from facesets_dagster.export.ranking import RANK_WEIGHTS, rank_scores
from facesets_dagster.files.writing import write_stream
from facesets_dagster.threads import in_threads

PARAMETERS = ExportParameters(100, 0.45, 0.95, 8, 512, 0.5)


def members(**columns: list[object]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    base: dict[str, object] = {
        "face_id": [f"f{i}" for i in range(count)],
        "sha256": [f"s{i}" for i in range(count)],
        "face_short": [200.0] * count,
        "det_score": [0.9] * count,
        "blur": [100.0] * count,
        "frontality": [1.0] * count,
        "symmetry": [1.0] * count,
        "embedding": [[1.0, 0.0]] * count,
    }
    return pl.DataFrame({**base, **columns}, schema_overrides={"embedding": pl.Array(pl.Float32, 2)})


def test_of_two_faces_of_one_photo_the_nearer_to_the_centroid_stays() -> None:
    rows = members(sha256=["s", "s", "t"], embedding=[[1, 0.0], [1, 0.5], [1, -0.1]])
    curated = curate(rows, PARAMETERS)
    assert {face: verdict.state for face, verdict in curated.excluded.items()} == {"f1": "same_photo"}


def test_small_faces_fall_at_the_export_gate_with_their_size() -> None:
    curated = curate(members(face_short=[99.5, 100.0]), PARAMETERS)
    verdict = curated.excluded["f0"]
    assert (verdict.state, verdict.value, verdict.threshold) == ("below_export_gate:face_short", 99.5, 100)
    assert curated.candidates["face_id"].to_list() == ["f1"]


def test_members_far_from_the_centroid_are_export_outliers() -> None:
    curated = curate(members(embedding=[[1, 0.0], [1, 0.1], [1, -0.1], [0.0, 1]]), PARAMETERS)
    assert list(curated.excluded) == ["f3"]
    assert curated.excluded["f3"].state == "export_outlier"


def test_nobody_is_lost_between_candidates_and_excluded() -> None:
    rows = members(face_short=[50.0, 200.0, 300.0], sha256=["a", "a", "b"])
    curated = curate(rows, PARAMETERS)
    assert sorted([*curated.excluded, *curated.candidates["face_id"]]) == ["f0", "f1", "f2"]


def test_the_weights_are_the_legacy_ones_and_sum_to_one() -> None:
    assert RANK_WEIGHTS == {"det_score": 0.3, "face_short": 0.2, "blur": 0.2, "frontality": 0.15, "symmetry": 0.15}
    assert sum(RANK_WEIGHTS.values()) == pytest.approx(1)


def test_the_best_in_everything_scores_one_and_the_worst_zero() -> None:
    rows = members(
        det_score=[0.6, 0.9, 0.7], face_short=[100.0, 300.0, 200.0], blur=[50.0, 500.0, 90.0],
        frontality=[0.1, 1.0, 0.5], symmetry=[0.2, 0.9, 0.5],
    )  # fmt: skip
    scores = rank_scores(rows)
    assert scores[0] == pytest.approx(0)
    assert scores[1] == pytest.approx(1)
    assert 0 < scores[2] < 1


def gradient(height: int, width: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width)[None]
    image[..., 1] = np.linspace(0, 255, height)[:, None]
    return image


def test_a_crop_is_the_box_with_half_its_longer_side_around_it() -> None:
    image = gradient(400, 400)
    crop = square_crop(image, np.array([150, 160, 250, 240], np.float32), np.zeros((0, 4), np.float32),
                       CropPlan(0.5, "reflect", False), 200)  # fmt: skip
    assert crop.shape == (200, 200, 3)
    assert np.array_equal(crop, image[100:300, 100:300])


@given(
    x=st.floats(-60, 110), y=st.floats(-60, 90), w=st.floats(2, 150), h=st.floats(2, 150),
    border=st.sampled_from(["reflect", "replicate"]), padding=st.floats(0, 2),
)  # fmt: skip
def test_any_box_that_touches_the_photo_gives_a_square(
    x: float, y: float, w: float, h: float, border: str, padding: float
) -> None:
    box = np.array([x, y, max(x + w, 1), max(y + h, 1)], np.float32)
    crop = square_crop(gradient(100, 120), box, np.zeros((0, 4), np.float32), CropPlan(padding, border, False), 64)
    assert crop.shape == (64, 64, 3)


@given(
    x=st.integers(0, 100), y=st.integers(0, 80), w=st.integers(8, 60), h=st.integers(8, 60),
    other=st.tuples(st.integers(0, 110), st.integers(0, 90), st.integers(4, 40), st.integers(4, 40)) | st.none(),
)  # fmt: skip
def test_no_face_is_seen_in_the_mirror(x: int, y: int, w: int, h: int, other: tuple[int, int, int, int] | None) -> None:
    """Faces are white on black: with a black border as much of them is seen as with the one that is chosen."""
    face = np.array([x, y, min(x + w, 120), min(y + h, 100)], np.float32)
    boxes = [] if other is None else [(other[0], other[1], other[0] + other[2], other[1] + other[3])]
    neighbours = np.array(boxes, np.float32).reshape(-1, 4)
    photo = np.zeros((100, 120, 3), np.uint8)
    for x1, y1, x2, y2 in np.concatenate([face[None], neighbours]).astype(int):
        photo[y1:y2, x1:x2] = 255
    border = wanted_border(0.5, face, neighbours, photo.shape)
    size = CropFrame.around(face, CropPlan(0.5, border, False), 1).side
    chosen, black = (square_crop(photo, face, neighbours, CropPlan(0.5, one, False), size) for one in (border, "black"))
    assert np.array_equal(chosen, black)


def test_the_edge_of_a_photo_is_mirrored_where_nobody_is() -> None:
    face, nobody = np.array([50, 30, 90, 80], np.float32), np.zeros((0, 4), np.float32)
    assert wanted_border(0.5, face, nobody, (102, 120)) == "reflect"
    assert wanted_border(0.5, face, np.array([[92, 82, 100, 96]], np.float32), (102, 120)) == "black"
    assert wanted_border(0.5, face, np.array([[0, 0, 30, 40]], np.float32), (102, 120)) == "reflect"
    assert wanted_border(0.5, face, nobody, (95, 120)) == "black"  # its hair, here its beard


def test_painting_out_leaves_the_face_and_smooths_the_neighbour() -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    face, other = np.array([100, 100, 200, 200], np.float32), np.array([[210, 100, 290, 200]], np.float32)
    plain = square_crop(image, face, other, CropPlan(0.5, "replicate", False), 200)
    painted = square_crop(image, face, other, CropPlan(0.5, "replicate", True), 200)
    assert np.array_equal(painted[50:150, 50:150], plain[50:150, 50:150])
    assert painted[60:140, 175:195].std() < 0.3 * plain[60:140, 175:195].std()


def test_the_wanted_crop_is_tried_first_and_the_rest_get_tighter() -> None:
    plans = list(crop_plans(0.5, "reflect"))
    assert plans[0] == CropPlan(0.5, "reflect", False)
    assert plans[1:] == list(crop_plans(0.5, "black"))[1:]
    paddings = [plan.padding for plan in plans]
    assert paddings == sorted(paddings, reverse=True)


def test_a_png_carries_its_lineage_and_its_bytes_depend_on_nothing_else(tmp_path: Path) -> None:
    lineage = {"face_id": "ä-1", "bbox": [1.0, 2.0]}
    data = encode_png(gradient(8, 8), lineage)
    assert data == encode_png(gradient(8, 8), dict(reversed(lineage.items())))
    (tmp_path / "a.png").write_bytes(data)
    assert read_lineage(tmp_path / "a.png") == json.loads(json.dumps(lineage))


def test_an_archive_is_flat_and_the_same_every_time() -> None:
    pictures = {"0002.png": in_memory(b"two"), "0001.png": in_memory(b"one")}
    first, second = io.BytesIO(), io.BytesIO()
    flat_zip(pictures, first)
    flat_zip(dict(reversed(pictures.items())), second)
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["0001.png", "0002.png"]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_pictures_on_disk_are_read_as_they_came_and_leave_no_file(tmp_path: Path) -> None:
    kept = PictureFile(tmp_path / "library")
    assert not (tmp_path / "library").exists()
    pngs = [bytes([number]) * (100 + number) for number in range(40)]
    pictures = [kept.keep(png) for png in pngs]
    assert in_threads(lambda picture: picture.read(), pictures) == pngs
    assert [picture.sha256 for picture in pictures] == [in_memory(png).sha256 for png in pngs]
    assert not list((tmp_path / "library").iterdir())
    del kept
    assert pictures[7].read() == pngs[7]


def test_writing_an_archive_holds_one_picture_at_a_time(tmp_path: Path) -> None:
    size, count = 1_000_000, 60
    kept = PictureFile(tmp_path)
    pictures = {f"{number:04d}.png": kept.keep(bytes([number]) * size) for number in range(count)}
    tracemalloc.start()
    write_stream(tmp_path / "all.fsz", partial(flat_zip, pictures))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * size
    with zipfile.ZipFile(tmp_path / "all.fsz") as archive:
        assert archive.testzip() is None
        assert archive.read("0059.png") == bytes([59]) * size

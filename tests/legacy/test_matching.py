"""Boxes one to one, claims to the nearer, paths wherever they lie now."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.files.states import changed_files, file_states
from facesets_dagster.legacy.boxes import iou, match_boxes
from facesets_dagster.legacy.claims import Claim, assign_claims
from facesets_dagster.legacy.sources import BucketFolders, BucketPath, SourcePaths
from facesets_dagster.photos.bucket_key import LEGACY


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_iou_of_known_boxes() -> None:
    found = iou(boxes((0, 0, 10, 10), (20, 20, 30, 30)), boxes((0, 0, 10, 10), (5, 0, 15, 10)))
    assert found.round(4).tolist() == [[1.0, 0.3333], [0.0, 0.0]]


def test_each_face_is_given_once_best_overlap_first() -> None:
    claimed = boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60), (0, 0, 10, 30))
    found = match_boxes(claimed, boxes((1, 0, 11, 10), (100, 100, 110, 110)), 0.5)
    assert [(match.index, match.problem) for match in found] == [
        (None, "face_taken"), (0, None), (None, "no_face_at_box"), (None, "iou_too_low"),
    ]  # fmt: skip


def test_two_claims_on_one_detection_share_its_face() -> None:
    found = match_boxes(boxes((0, 0, 100, 100), (0, 0, 100, 101)), boxes((2, 0, 100, 100)), 0.5)
    assert [match.index for match in found] == [0, 0]


def test_a_photo_without_faces_says_so() -> None:
    assert [match.problem for match in match_boxes(boxes((0, 0, 9, 9)), boxes(), 0.5)] == ["no_face_found"]


sides = st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(1, 40), st.integers(1, 40))


@given(st.lists(sides, max_size=6), st.lists(sides, max_size=6))
def test_no_face_is_given_to_two_boxes_that_are_not_the_same(
    claimed: list[tuple[int, int, int, int]], found: list[tuple[int, int, int, int]]
) -> None:
    mine, theirs = (boxes(*((x, y, x + w, y + h) for x, y, w, h in rows)) for rows in (claimed, found))
    matches = match_boxes(mine, theirs, 0.5)
    assert len(matches) == len(mine)
    for one, match in enumerate(matches):
        assert (match.index is None) == (match.problem is not None)
        for other in range(one):
            if match.index is not None and match.index == matches[other].index:
                # Alike to a third box at least: 0.9 twice leaves 0.8 at the very least.
                assert iou(mine[one : one + 1], mine[other : other + 1])[0, 0] >= 0.8


def vector(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def claim(name: str, face: str, angle: float, family: str | None = None) -> Claim:
    return Claim(name, family or name, face, vector(angle))


def test_a_contested_face_goes_to_the_nearer_centroid() -> None:
    claims = [claim("a", "1", 0), claim("a", "x", 0.4), claim("b", "2", 1.0), claim("b", "x", 0.4)]
    (lost,) = assign_claims(claims, {})
    assert (lost.name, lost.face_id, lost.to, lost.reason) == ("b", "x", "a", "ambiguous")
    assert lost.distance == pytest.approx(1 - np.cos(0.6), abs=1e-6)


def test_eras_are_intended_copies_and_lose_with_their_parent() -> None:
    family = [claim("a", "x", 0.4), claim("a_era", "x", 0.4, "a"), claim("a", "1", 0)]
    assert assign_claims(family, {}) == []
    nearer = [claim("b", "x", 0.4), claim("b", "2", 0.4)]
    assert [(lost.name, lost.to) for lost in assign_claims([*family, *nearer], {})] == [("a", "b"), ("a_era", "b")]


def test_a_member_of_somebody_else_is_not_taken_away() -> None:
    claims = [claim("a", "x", 0), claim("b", "y", 0)]
    assert [(lost.name, lost.to, lost.reason) for lost in assign_claims(claims, {"x": "c", "y": "b"})] == [
        ("a", "c", "member_elsewhere")
    ]


def test_prefixes_are_replaced_longest_first_and_windows_paths_turned() -> None:
    paths = SourcePaths({"/old": "/new", "/old/deep": "/deep", "Z:\\photos": "/mnt/photos"}, {})
    assert paths.candidates("/old/a.jpg") == ["/new/a.jpg"]
    assert paths.candidates("/old/deep/a.jpg") == ["/deep/a.jpg"]
    assert paths.candidates("Z:\\photos\\2010\\a.jpg") == ["/mnt/photos/2010/a.jpg"]


def test_byte_copies_are_looked_for_too() -> None:
    paths = SourcePaths({}, {"/copy.jpg": "/first.jpg", "/other.jpg": "/first.jpg"})
    assert paths.candidates("/other.jpg") == ["/other.jpg", "/first.jpg", "/copy.jpg"]
    assert paths.key("/copy.jpg") == paths.key("/first.jpg") == "/first.jpg"


def test_a_path_is_placed_in_its_bucket_through_links_too(tmp_path: Path) -> None:
    bucket = tmp_path / "buckets" / "osrc"
    (bucket / "psd").mkdir(parents=True)
    os.symlink(tmp_path / "buckets", tmp_path / "link")
    folders = BucketFolders({"osrc": bucket, LEGACY: Path("/")})
    assert folders.locate(f"{bucket}/psd/a\\b.jpg") == BucketPath("osrc", "psd/a\\\\b.jpg")
    assert folders.locate(f"{tmp_path}/link/osrc/psd/a.jpg") == BucketPath("osrc", "psd/a.jpg")
    assert folders.locate("/elsewhere/a.jpg") == BucketPath(LEGACY, "elsewhere/a.jpg")


def test_a_file_that_was_rewritten_with_its_old_times_is_seen(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("same", "changed", "removed"):
        (tmp_path / "folder" / name).write_text("text")
    before = file_states([tmp_path])
    old = os.stat(tmp_path / "folder" / "changed")
    (tmp_path / "folder" / "changed").write_text("TEXT")
    os.utime(tmp_path / "folder" / "changed", ns=(old.st_atime_ns, old.st_mtime_ns))
    (tmp_path / "folder" / "removed").unlink()
    (tmp_path / "added").write_text("")
    assert [Path(path).name for path in changed_files(before, file_states([tmp_path]))] == [
        "added",
        "changed",
        "removed",
    ]

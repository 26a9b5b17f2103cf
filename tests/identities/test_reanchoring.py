"""Faces of one photo as two models see them, and what becomes of rulings that speak of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import iou
from facesets_dagster.identities.reanchoring import (
    SAME_FACE,
    Boxes,
    as_stored,
    of_model,
    reanchored,
    renamed_in,
    same_faces,
)
from facesets_dagster.identities.rulings import Ruling, RulingFace

OLD, NEW = "old", "new"
_SIDE = st.integers(20, 120)


@st.composite
def boxes(draw: st.DrawFn, most: int = 7) -> NDArray[np.float32]:
    """Up to `most` boxes of a photo of 400 x 400 px; they may overlap, and be equal."""
    places = st.tuples(st.integers(0, 280), st.integers(0, 280), _SIDE, _SIDE)
    drawn = draw(st.lists(places, max_size=most))
    return np.array([[x, y, x + w, y + h] for x, y, w, h in drawn], np.float32).reshape(-1, 4)


@given(boxes(), boxes())
def test_each_face_is_given_once_and_only_where_boxes_overlap_by_half(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> None:
    pairs, overlap = same_faces(before, after), iou(before, after)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(overlap[i, j] >= SAME_FACE for i, j in pairs)
    free = overlap.copy()
    for i, j in pairs:
        free[i, :] = free[:, j] = 0
    assert not (free >= SAME_FACE).any(), "nobody is left without a face that is free"


@given(boxes())
def test_the_same_boxes_are_the_same_faces(found: NDArray[np.float32]) -> None:
    distinct = np.unique(found, axis=0)
    assert same_faces(distinct, distinct) == [(row, row) for row in range(len(distinct))]


@given(boxes(), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
def test_boxes_that_lie_a_little_elsewhere_are_the_same_faces_if_faces_lie_apart(
    found: NDArray[np.float32], right: float, down: float
) -> None:
    alone = [row for row in range(len(found)) if (np.delete(iou(found, found)[row], row) == 0).all()]
    apart = found[alone]
    sides = apart[:, 2:] - apart[:, :2]
    moved = apart + np.tile(sides * np.array([right, down], np.float32), 2)
    assert same_faces(apart, moved) == [(row, row) for row in range(len(apart))]


@given(boxes(), boxes(), st.randoms())
def test_the_order_of_the_faces_does_not_matter(
    before: NDArray[np.float32], after: NDArray[np.float32], random: object
) -> None:
    def named(rows: NDArray[np.float32], sign: str) -> dict[str, list[float]]:
        return {f"{sign}{place}": row.tolist() for place, row in enumerate(rows)}

    def shuffled(of: dict[str, list[float]]) -> dict[str, list[float]]:
        keys = list(of)
        random.shuffle(keys)  # type: ignore[attr-defined]
        return {key: of[key] for key in keys}

    first, second = named(before, "b"), named(after, "a")
    straight = renamed_in(Boxes.of(first), Boxes.of(second))
    assert renamed_in(Boxes.of(shuffled(first)), Boxes.of(shuffled(second))) == straight


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_box_of_a_turned_photo_lies_where_it_is_in_the_photo_before(turn: int) -> None:
    photo = np.zeros((60, 100), np.uint8)
    photo[10:30, 70:80] = 1
    turned = np.rot90(photo, -turn // 90)
    rows, columns = np.nonzero(turned)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    height, width = turned.shape
    assert as_stored(box, turn, width, height) == (70, 10, 80, 30)


def face(role: str, name: str, model: str = OLD, *, vector: bool = True) -> RulingFace:
    unit = np.eye(1, 4, dtype=np.float16)[0] if vector else None
    return RulingFace(role, "sha", (0, 0, 10, 10), 100, 100, name, "a", model, unit)


def ruling(kind: str, *faces: RulingFace, **values: object) -> Ruling:
    return Ruling("R", kind, "", "", "cli", faces=faces, **values)  # type: ignore[arg-type]


def seen(**names: str) -> dict[str, RulingFace]:
    return {old: face("face", new, NEW) for old, new in names.items()}


def test_a_ruling_gets_its_faces_as_the_new_model_sees_them_beside_the_old_ones() -> None:
    given_ = ruling("different", face("a", "x"), face("b", "y", vector=False))
    found = reanchored(given_, seen(x="X", y="y"), NEW, set())
    assert [(one.role, one.face_id, one.model_id) for one in found.new] == [("a", "X", NEW)]
    assert [(one.role, one.face_id, one.model_id) for one in found.same] == [("b", "y", NEW)]
    assert found.same[0].embedding is None, "where the ruling needs none"
    assert found.state == "in_force"
    whole = replace(given_, faces=(given_.faces[0], *found.new, *found.same))
    assert {one.face_id for one in of_model(whole.faces, NEW)} == {"X", "y"}
    assert not reanchored(whole, seen(x="X", y="y"), NEW, set()).changes(whole), "once is enough"


def test_a_side_without_a_face_and_without_a_face_set_puts_a_ruling_to_sleep() -> None:
    apart = ruling("different", face("a", "x"), face("b", "y"), names={"b": "faceset_002"})
    assert reanchored(apart, seen(x="X"), NEW, {"faceset_002"}).state == "in_force"
    assert reanchored(apart, seen(x="X"), NEW, set()).state == "dormant"
    assert reanchored(apart, seen(y="Y"), NEW, {"faceset_002"}).state == "dormant"
    asleep = replace(apart, state="dormant")
    assert reanchored(asleep, seen(x="X", y="Y"), NEW, set()).state == "in_force"
    assert reanchored(replace(apart, state="undone"), {}, NEW, set()).state == "undone"


def test_a_collage_needs_two_faces_and_a_threshold_its_pack() -> None:
    collage = ruling("allow_together", face("face", "x"), face("face", "y"))
    assert reanchored(collage, seen(x="X"), NEW, set()).state == "dormant"
    assert reanchored(collage, seen(x="X", y="Y"), NEW, set()).state == "in_force"
    number = ruling("threshold", payload={"model_id": OLD})
    assert reanchored(number, {}, NEW, set()).state == "dormant"
    assert reanchored(number, {}, OLD, set()).state == "in_force"


def test_embeddings_of_another_model_are_never_handed_on() -> None:
    mixed = [face("exemplar", "x"), face("exemplar", "X", NEW), face("identity", "y")]
    shown = of_model(mixed, NEW)
    assert [(one.face_id, one.embedding is None) for one in shown] == [("X", False), ("y", True)]

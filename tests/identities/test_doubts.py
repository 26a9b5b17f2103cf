"""What is in doubt, and in which order."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.doubts import (
    Doubt,
    Margins,
    People,
    is_answered,
    of_join,
    of_left_over,
    of_members,
    of_one_photo,
    of_outlier,
    of_people,
    ranked,
)

MARGINS = Margins(margin=0.05, cover_distance=0.45, outlier_distance=0.55)


def at(degrees: float) -> NDArray[np.float32]:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def people(*degrees: float, families: tuple[str, ...] = (), sizes: tuple[int, ...] = ()) -> People:
    names = [f"faceset_{number:03d}" for number in range(1, len(degrees) + 1)]
    return People(names, families or names, np.array([at(one) for one in degrees]), sizes or [5] * len(names))


def kinds(doubts: list[Doubt]) -> list[tuple[str, tuple[str, ...], str, str | None]]:
    return [(doubt.kind, doubt.faces, doubt.identity, doubt.other) for doubt in doubts]


def test_a_face_midway_between_two_people_is_in_doubt_and_one_nearer_to_its_own_is_not() -> None:
    unit = np.array([at(25), at(5), at(26)])
    names = ["faceset_001", "faceset_001", "faceset_002"]
    found = of_members(["midway", "clear", "other"], unit, names, people(0, 50), MARGINS)
    assert kinds(found) == [
        ("between_two", ("midway",), "faceset_001", "faceset_002"),
        ("between_two", ("other",), "faceset_002", "faceset_001"),
    ]
    assert found[0].value == pytest.approx(0, abs=1e-6)
    assert found[0].chance == pytest.approx(0.5, abs=1e-4)


def test_a_parent_and_its_era_are_one_person() -> None:
    one_family = people(0, 50, families=("anna", "anna"))
    assert of_members(["midway"], np.array([at(25)]), ["faceset_001"], one_family, MARGINS) == []
    assert of_people(people(0, 56.6, families=("anna", "anna")), {}, frozenset(), MARGINS) == []


def test_members_on_both_sides_of_the_outlier_distance_are_in_doubt() -> None:
    limit = np.degrees(np.arccos(1 - MARGINS.outlier_distance))
    unit = np.array([at(limit - 1), at(limit - 10)])
    found = of_members(["edge", "inside"], unit, ["faceset_001"] * 2, people(0, 200), MARGINS)
    assert kinds(found) == [("near_outlier", ("edge",), "faceset_001", None)]
    assert of_outlier("out", "faceset_001", 0.56, 0.55, MARGINS).chance == pytest.approx(0.4)
    assert ranked([of_outlier("far", "faceset_001", 0.7, 0.55, MARGINS)]) == []


def test_a_join_of_many_faces_changes_more_than_one_of_few_at_the_same_distance() -> None:
    few = of_join(["a"], "faceset_001", 0.6, 0.62, MARGINS)
    many = of_join(["d", "c", "b"], "faceset_001", 0.6, 0.62, MARGINS)
    assert ranked([few, many]) == [many, few]
    assert many.faces == ("b", "c", "d")
    assert many.change == pytest.approx(3 * few.change)


def test_of_two_faces_of_a_photo_the_farther_one_is_in_doubt() -> None:
    found = of_one_photo(["near", "far"], np.array([at(5), at(40)]), "faceset_001", at(0), MARGINS)
    assert [(doubt.faces, doubt.other_face, doubt.change) for doubt in found] == [(("far",), "near", 0.5)]


def test_two_people_at_the_threshold_are_asked_about_once_with_the_smaller_one_moving() -> None:
    angle = np.degrees(np.arccos(1 - MARGINS.cover_distance))
    pair = people(0, angle, 180, sizes=(3, 9, 4))
    shown = {"faceset_001": "face1", "faceset_002": "face2"}
    (found,) = of_people(pair, shown, frozenset(), MARGINS)
    assert (found.identity, found.other, found.moved) == ("faceset_002", "faceset_001", 3)
    assert found.faces == ("face1",)
    assert of_people(pair, shown, frozenset({("faceset_001", "faceset_002")}), MARGINS) == []


def test_left_over_faces_near_a_person_move_together() -> None:
    found = of_left_over(["a", "b"], "faceset_001", 0.46, MARGINS)
    assert found.change == pytest.approx(2 * 0.4)


def doubt(kind: str, *faces: str, other: str | None = None) -> Doubt:
    return Doubt(kind=kind, faces=faces, identity="faceset_001", other=other, value=0, threshold=0, chance=0.5, moved=1)


def test_what_a_ruling_has_said_is_in_doubt_no_longer() -> None:
    said = Bindings(belongs={"a": "faceset_001"}, refused={"b": frozenset({"faceset_002"})})
    assert is_answered(doubt("near_join", "a"), said)
    assert not is_answered(doubt("near_join", "a", "c"), said)
    assert is_answered(doubt("between_two", "b", other="faceset_002"), said)
    assert not is_answered(doubt("near_outlier", "b"), said)
    assert not is_answered(doubt("near_people", "b", other="faceset_002"), said)
    assert not is_answered(doubt("near_people", other="faceset_002"), said)
    assert not is_answered(doubt("near_join", "a"), NO_BINDINGS)

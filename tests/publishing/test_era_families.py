"""An identity and its eras: what stands is frozen, what is left seeds anew, and doing it twice changes nothing."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesets_dagster.identities.eras import DatedFaces, EraNumbers
from facesets_dagster.identities.identity import Identity
from facesets_dagster.publishing.eras.families import ExistingEra, Family, plan_family

NUMBERS = EraNumbers(era_distance=0.35, join_distance=0.40, join_years=5, min_seed_faces=1, min_era_faces=3)
PARENT = Identity(1, "faceset_007", 7, "discovered", None, "a", None, True, 1, "m", None)
Look = tuple[float, float | None]


def look(degrees: float) -> NDArray[np.float32]:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0], np.float32)


def faces(people: Mapping[str, Look]) -> DatedFaces:
    ordered = sorted(people.items())
    return DatedFaces(
        tuple(face_id for face_id, _ in ordered),
        np.array([look(degrees) for _, (degrees, _) in ordered], np.float32).reshape(len(ordered), 3),
        np.array([np.nan if year is None else year for _, (_, year) in ordered], np.float64),
    )


def plan(
    people: Mapping[str, Look],
    existing: Sequence[ExistingEra] = (),
    *,
    split: EraNumbers | None = NUMBERS,
    exported: Callable[[Mapping[str, str]], int] = len,
    absent: frozenset[str] = frozenset(),
    taken: frozenset[str] = frozenset(),
) -> Family:
    names = {era.identity.name for era in existing}
    return plan_family(PARENT, faces(people), absent, list(existing), names | taken, exported, split=split)


def published(family: Family, *, live: bool = True) -> list[ExistingEra]:
    """The eras of a plan as the registry would give them back."""
    return [
        ExistingEra(
            Identity(9, era.name, 7, era.kind, PARENT.name, "a", None, live, 2, "m", None),
            era.anchor,
            era.numbers,
            era.members,
        )
        for era in family.eras
    ]


def members(family: Family) -> dict[str, list[str]]:
    return {era.name: list(era.members) for era in family.eras}


YOUNG = {"a": (0.0, 2010.0), "b": (5.0, 2011.0), "c": (10.0, 2012.0)}
OLD = {"x": (80.0, 2020.0), "y": (85.0, 2021.0)}


def test_eras_are_named_by_their_span_and_thin_ones_told_apart() -> None:
    family = plan({**YOUNG, **OLD})
    assert members(family) == {
        "faceset_007_era_2010-2012": ["a", "b", "c"],
        "faceset_007_era_2020-2021": ["x", "y"],
    }
    assert [era.kind for era in family.eras] == ["era", "thin_era"]
    assert set(family.eras[0].members.values()) == {"founded"}
    assert family.left == []


def test_two_eras_of_one_span_get_names_of_their_own() -> None:
    family = plan({**YOUNG, "x": (120.0, 2010.0), "y": (125.0, 2012.0)})
    assert members(family) == {
        "faceset_007_era_2010-2012": ["a", "b", "c"],
        "faceset_007_era_2010-2012_2": ["x", "y"],
    }
    third = plan(YOUNG, taken=frozenset(members(family)))
    assert list(members(third)) == ["faceset_007_era_2010-2012_3"]


def test_later_photos_slot_in_and_the_anchor_stays_where_it_was() -> None:
    first = plan({**YOUNG, **OLD})
    again = plan({**YOUNG, **OLD, "d": (50.0, 2014.0), "z": (80.0, 2030.0)}, published(first), split=None)
    assert members(again)["faceset_007_era_2010-2012"] == ["a", "b", "c", "d"]
    assert again.eras[0].members["d"] == "slotted"
    assert again.eras[0].anchor is first.eras[0].anchor
    assert [(face.face_id, face.reason) for face in again.left] == [("z", "too_many_years")]
    # d joined, but it does not carry the era to faces that only d resembles
    drift = plan({**YOUNG, "d": (50.0, 2014.0), "e": (90.0, 2015.0)}, published(again), split=None)
    assert "e" not in {face_id for ids in members(drift).values() for face_id in ids if "2010" in ids}
    assert [face.face_id for face in plan({**YOUNG, "e": (90.0, 2015.0)}, published(first)[:1], split=None).left] == [
        "e"
    ]


def test_without_split_no_era_is_founded() -> None:
    family = plan({**YOUNG, **OLD}, split=None)
    assert family.eras == []
    assert len(family.left) == 5


def test_a_split_again_seeds_only_from_those_who_joined_none() -> None:
    first = plan(YOUNG)
    again = plan({**YOUNG, **OLD}, published(first))
    assert members(again) == {"faceset_007_era_2010-2012": ["a", "b", "c"], "faceset_007_era_2020-2021": ["x", "y"]}
    assert again.eras[0].identity is not None
    assert again.eras[1].identity is None


def test_an_era_without_an_exportable_face_is_not_founded_and_its_faces_may_join_another() -> None:
    people = {**YOUNG, "x": (60.0, 2016.0), "y": (100.0, 2020.0)}

    def exported(found: Mapping[str, str]) -> int:
        return len(found.keys() - {"x", "y"})

    family = plan(people, exported=exported)
    assert list(members(family)) == ["faceset_007_era_2010-2012"]
    assert {face.face_id: face.reason for face in family.left} == {"x": "nothing_to_export", "y": "nothing_to_export"}
    assert members(plan(people, published(family), exported=exported)) == members(family)


def test_a_thin_era_that_grows_becomes_substantive_and_none_goes_back() -> None:
    first = plan(OLD)
    assert [era.kind for era in first.eras] == ["thin_era"]
    grown = plan({**OLD, "z": (82.0, 2022.0)}, published(first), split=None)
    assert [era.kind for era in grown.eras] == ["era"]
    shrunk = plan({"x": OLD["x"]}, published(grown), split=None)
    assert [era.kind for era in shrunk.eras] == ["era"]


def test_members_that_left_the_identity_leave_its_era_and_an_empty_era_goes_out_of_use() -> None:
    first = plan({**YOUNG, **OLD})
    again = plan({"a": YOUNG["a"]}, published(first), split=None)
    assert members(again) == {"faceset_007_era_2010-2012": ["a"]}
    assert [identity.name for identity in again.emptied] == ["faceset_007_era_2020-2021"]


def test_an_era_that_was_out_of_use_is_back_with_its_anchor_and_name() -> None:
    first = plan({**YOUNG, **OLD})
    back = plan({**YOUNG, **OLD}, published(first, live=False), split=None)
    assert members(back) == members(first)
    assert all(era.identity is not None for era in back.eras)
    nothing = plan({**YOUNG, **OLD}, published(first, live=False), split=None, exported=lambda _: 0)
    assert nothing.eras == []
    assert nothing.emptied == []


def test_a_date_that_was_corrected_moves_the_face_and_a_date_that_is_lost_does_not() -> None:
    people = {**YOUNG, "x": (10.0, 2020.0), "y": (12.0, 2021.0)}
    first = plan(people)
    assert members(first)["faceset_007_era_2020-2021"] == ["x", "y"]
    corrected = plan({**people, "x": (10.0, 2011.0)}, published(first), split=None)
    assert members(corrected) == {"faceset_007_era_2010-2012": ["a", "b", "c", "x"], "faceset_007_era_2020-2021": ["y"]}
    lost = plan({name: (degrees, None) for name, (degrees, _) in people.items()}, published(first), split=None)
    assert members(lost) == members(first)


def test_members_whose_rows_are_not_at_hand_stay() -> None:
    first = plan(YOUNG)
    again = plan({"a": YOUNG["a"]}, published(first), split=None, absent=frozenset({"b"}))
    assert members(again) == {"faceset_007_era_2010-2012": ["a", "b"]}


@given(
    st.lists(st.tuples(st.floats(-170, 170), st.none() | st.integers(1990, 2025)), max_size=16),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_every_face_is_in_one_era_or_left_with_a_reason_and_a_second_split_changes_nothing(
    people: list[Look], least: int, hidden: int
) -> None:
    def exported(found: Mapping[str, str]) -> int:
        return sum(int(face_id[1:]) % 4 >= hidden for face_id in found)

    numbers = EraNumbers(0.35, 0.40, 5, least, 3)
    named = {f"f{number:02d}": person for number, person in enumerate(people)}
    first = plan(named, split=numbers, exported=exported)
    inside = [face_id for era in first.eras for face_id in era.members]
    assert sorted([*inside, *(face.face_id for face in first.left)]) == sorted(named)
    for split in (numbers, None):
        again = plan(named, published(first), split=split, exported=exported)
        assert {era.name: dict(era.members) for era in again.eras} == {e.name: dict(e.members) for e in first.eras}
        assert again.emptied == []
        assert [face.face_id for face in again.left] == [face.face_id for face in first.left]

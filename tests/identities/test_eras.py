"""Anchors of eras: seeded from dated faces, cut into periods, frozen; faces join by look and year, and do not drift."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesets_dagster.identities.eras import (
    Anchor,
    DatedFaces,
    EraNumbers,
    join,
    seed,
    split_by_year,
    stays,
    why_left,
    within_reach,
)

NUMBERS = EraNumbers(era_distance=0.35, join_distance=0.40, join_years=5, min_seed_faces=1, min_era_faces=15)
NOBODY = np.array([], np.int64)


def look(degrees: float) -> NDArray[np.float32]:
    """A unit vector on a circle: looks at an angle a lie 1 - cos(a) apart, 0.40 is 53 degrees."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0], np.float32)


def faces(*looks: tuple[float, float | None]) -> DatedFaces:
    """(degrees, year) each; ids in the order given."""
    return DatedFaces(
        tuple(f"f{number:03d}" for number in range(len(looks))),
        np.array([look(degrees) for degrees, _ in looks], np.float32).reshape(len(looks), 3),
        np.array([np.nan if year is None else year for _, year in looks], np.float64),
    )


def anchor(degrees: float, year: float, first: int, last: int) -> Anchor:
    return Anchor(look(degrees), year, first, last)


def seeded(people: DatedFaces, *existing: Anchor, numbers: EraNumbers = NUMBERS) -> list[tuple[float, int, int]]:
    anchors, _ = seed(people, np.ones(len(people.face_ids), bool), existing, numbers)
    return [(found.year, found.first_year, found.last_year) for found in anchors]


def joined(people: DatedFaces, *anchors: Anchor, before: tuple[int, ...] = ()) -> list[int]:
    start = np.array(before or [-1] * len(people.face_ids), np.int64)
    return join(people, anchors, [NUMBERS] * len(anchors), start).tolist()


@given(st.lists(st.integers(1900, 2026), max_size=60), st.floats(0, 30))
def test_in_every_period_nobody_is_farther_from_the_median_than_allowed(years: list[int], join_years: float) -> None:
    given_years = np.array(years, np.float64)
    parts = split_by_year(given_years, join_years)
    assert sorted(place for part in parts for place in part.tolist()) == list(range(len(years)))
    spans = sorted((given_years[part].min(), given_years[part].max()) for part in parts)
    assert all(earlier[1] < later[0] for earlier, later in itertools.pairwise(spans))
    for part in parts:
        assert np.abs(given_years[part] - np.median(given_years[part])).max() <= join_years


def test_a_long_time_is_cut_at_the_widest_gap_and_without_one_in_the_middle() -> None:
    def spans(*years: int) -> list[tuple[int, int]]:
        found = np.array(years, np.float64)
        return sorted((int(found[part].min()), int(found[part].max())) for part in split_by_year(found, 5))

    assert spans(2010, 2011, 2012, 2013) == [(2010, 2013)]
    assert spans(1998, 1999, 2010, 2011) == [(1998, 1999), (2010, 2011)]
    assert spans(*range(1996, 2016)) == [(1996, 2005), (2006, 2015)]


def test_an_anchor_is_the_centroid_the_median_year_and_the_span_of_its_dated_faces() -> None:
    people = faces((0, 2010), (10, 2012), (20, 2013), (5, None))
    anchors, too_few = seed(people, np.ones(4, bool), (), NUMBERS)
    assert [(found.year, found.first_year, found.last_year) for found in anchors] == [(2012, 2010, 2013)]
    assert anchors[0].centroid == pytest.approx(look(10), abs=1e-5)
    assert too_few == []


def test_looks_that_differ_are_periods_of_their_own_and_so_are_years_far_apart() -> None:
    assert seeded(faces((0, 2010), (5, 2011), (90, 2020), (95, 2021))) == [(2010.5, 2010, 2011), (2020.5, 2020, 2021)]
    assert seeded(faces((0, 1998), (5, 1999), (0, 2020), (5, 2021))) == [(1998.5, 1998, 1999), (2020.5, 2020, 2021)]


def test_undated_faces_seed_nothing_and_move_nothing() -> None:
    assert seeded(faces((0, None), (5, None))) == []
    dated = [(0, 2010), (5, 2011), (60, 2010), (65, 2012)]
    assert seeded(faces(*dated, (30, None), (32, None))) == seeded(faces(*dated))


@given(
    st.lists(st.tuples(st.floats(-90, 90), st.integers(1990, 2020)), max_size=14),
    st.lists(st.floats(-90, 90), max_size=6),
)
def test_adding_undated_faces_never_changes_an_anchor(dated: list[tuple[float, int]], undated: list[float]) -> None:
    without, _ = seed(faces(*dated), np.ones(len(dated), bool), (), NUMBERS)
    everybody = faces(*dated, *((degrees, None) for degrees in undated))
    also, _ = seed(everybody, np.ones(len(everybody.face_ids), bool), (), NUMBERS)
    assert [(a.year, a.first_year, a.centroid.tolist()) for a in without] == [
        (a.year, a.first_year, a.centroid.tolist()) for a in also
    ]


def test_a_second_look_of_the_same_years_goes_to_the_larger_one_if_it_is_within_its_reach() -> None:
    near = faces((0, 2010), (1, 2011), (2, 2012), (51, 2011), (52, 2012))  # linkage keeps them apart, reach does not
    assert seeded(near) == [(2011, 2010, 2012)]
    far = faces((0, 2010), (1, 2011), (2, 2012), (80, 2011), (81, 2012))
    assert seeded(far) == [(2011, 2010, 2012), (2011.5, 2011, 2012)]
    later = faces((0, 2010), (1, 2011), (2, 2012), (51, 2013), (52, 2014))
    assert seeded(later) == [(2011, 2010, 2012), (2013.5, 2013, 2014)]


def test_an_anchor_that_stands_keeps_out_a_new_one_of_the_same_years() -> None:
    people = faces((51, 2011), (52, 2012))
    assert seeded(people, anchor(0, 2011, 2010, 2012)) == []
    assert seeded(people, anchor(0, 2001, 2000, 2002)) == [(2011.5, 2011, 2012)]


def test_small_sub_clusters_seed_nothing_if_so_wanted_and_are_named() -> None:
    people = faces((0, 2010), (5, 2011), (90, 2020))
    numbers = dataclasses.replace(NUMBERS, min_seed_faces=2)
    anchors, too_few = seed(people, np.ones(3, bool), (), numbers)
    assert len(anchors) == 1
    assert too_few == ["f002"]


def test_a_face_joins_the_nearest_anchor_that_is_within_distance_and_years() -> None:
    anchors = anchor(0, 2010, 2009, 2011), anchor(40, 2014, 2013, 2015)
    people = faces((10, 2012), (30, 2012), (30, 2008), (10, 2016), (10, 2020), (120, 2012), (10, None))
    assert joined(people, *anchors) == [0, 1, 0, 1, -1, -1, -1]


def test_the_limits_themselves_are_within_reach() -> None:
    people = faces((0, 2015), (0, 2015.5), (0, 2005))
    assert within_reach(people, anchor(0, 2010, 2009, 2011), NUMBERS).tolist() == [True, False, True]
    near = DatedFaces(("a",), np.array([[0.6, 0.8, 0]], np.float32), np.array([2010.0]))
    assert within_reach(near, Anchor(np.array([1, 0, 0], np.float32), 2010, 2010, 2010), NUMBERS).tolist() == [True]


def test_faces_do_not_drift_along_a_chain_of_faces_that_joined() -> None:
    chain = faces(*((20 * step, 2010 + 2 * step) for step in range(8)))
    assert joined(chain, anchor(0, 2010, 2010, 2010)) == [0, 0, 0, -1, -1, -1, -1, -1]


def test_a_face_that_has_an_anchor_keeps_it_though_another_is_nearer() -> None:
    anchors = anchor(0, 2010, 2009, 2011), anchor(40, 2011, 2011, 2012)
    people = faces((39, 2011), (39, 2011))
    assert joined(people, *anchors, before=(0, -1)) == [0, 1]


def test_a_member_stays_unless_its_look_or_a_known_date_speaks_against_it() -> None:
    people = faces((10, 2012), (10, None), (10, 2030), (100, 2012))
    assert stays(people, anchor(0, 2010, 2009, 2011), NUMBERS).tolist() == [True, True, False, False]


def test_who_is_left_is_told_why_and_by_how_much() -> None:
    people = faces((10, None), (10, 2030), (100, 2011))
    anchors = [anchor(0, 2010, 2009, 2011), anchor(-20, 2010, 2009, 2011)]
    left = why_left(people, anchors, [NUMBERS] * 2, np.full(3, -1, np.int64))
    assert [(face.reason, face.anchor, face.years) for face in left] == [
        ("undated", None, None),
        ("too_many_years", 0, 20),
        ("too_far", 0, 1),
    ]
    assert left[2].distance == pytest.approx(1 - np.cos(np.radians(100)), abs=1e-5)
    assert [face.reason for face in why_left(people, [], [], np.full(3, -1, np.int64))] == ["undated", *["too_far"] * 2]


def test_nobody_at_all_is_no_error() -> None:
    empty = faces()
    assert seed(empty, np.zeros(0, bool), (), NUMBERS) == ([], [])
    assert join(empty, [], [], NOBODY).tolist() == []
    assert why_left(empty, [], [], NOBODY) == []

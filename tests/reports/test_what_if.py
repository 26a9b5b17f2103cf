"""Curves stay small enough to be shown without a click, and newcomers are shown once."""

from urllib.parse import unquote
from xml.etree import ElementTree

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.reports.figures import curves_figure
from facesets_dagster.reports.plots import curves
from facesets_dagster.reports.what_if_page import newcomers
from tests.analysis.test_what_if import answer, what_if

counts = st.integers(0, 100_000)
rows_of_counts = st.tuples(st.integers(0, 200), counts, counts, counts)


@given(st.lists(rows_of_counts, min_size=2, max_size=8, unique_by=lambda row: row[0]))
def test_a_curve_is_small_and_well_formed(rows: list[tuple[int, int, int, int]]) -> None:
    rows = sorted(rows)
    lines = {name: [row[place] for row in rows] for place, name in enumerate(("identities", "exported", "pairs"), 1)}
    markdown = curves([row[0] / 100 for row in rows], lines, mark=rows[0][0] / 100)
    assert len(markdown) < 1000
    assert " " not in markdown.split(")")[0], "a space ends an address in Markdown"
    drawn = ElementTree.fromstring(unquote(markdown.split(",", 1)[1].split(")")[0]))
    assert len(drawn) == 4, "three lines and the mark"


def test_the_mark_stands_at_the_base_and_lines_go_from_their_least_to_their_most() -> None:
    markdown = curves([2, 4, 6], {"identities": [4, 2, 0], "exported": [9, 9, 9]}, mark=4)
    drawn = ElementTree.fromstring(unquote(markdown.split(",", 1)[1].split(")")[0]))
    assert [path.get("d") for path in drawn] == ["M110,0V60", "M0,8L110,34L220,60", "M0,6L110,6L220,6"]
    assert markdown.endswith("2 to 6: identities 0 to 4 (blue), exported 9 (green)")


def test_one_value_is_no_curve() -> None:
    assert curves([2], {"identities": [4]}, mark=2) == "nothing to draw"


def test_the_figure_of_the_page_says_what_it_shows_and_is_the_same_again() -> None:
    lines = {"identities": [4, 2], "impossible pairs": [0, 0]}
    figure = curves_figure("min_faces", [2, 6], lines, ("exported faces", [9, 4]), 6)
    assert figure.words == "min_faces 2 to 6, base 6: identities 2 to 4, impossible pairs 0, exported faces 4 to 9"
    assert figure == curves_figure("min_faces", [2, 6], lines, ("exported faces", [9, 4]), 6)


def test_a_newcomer_of_many_points_is_shown_once_at_the_value_nearest_the_base_and_explicit_points_come_first() -> None:
    known = {"faceset_001": {"f0", "f1"}}
    more = {**known, "faceset_002": {"f2", "f3"}}
    found = what_if(
        answer("base", None, known), answer("min_faces", 2, more), answer("min_faces", 3, more),
        answer("min_blur", 5, {**known, "faceset_002": {"f4"}}),
        answer("point", None, {**known, "faceset_003": {"f3"}}), before=known,
    )  # fmt: skip
    assert [one.title for one in newcomers(found, 5)] == [
        "the base point: faceset_003, 1 face, 1 exported",
        "min_blur 5: faceset_002, 1 face, 1 exported",
        "min_faces 3: faceset_002, 2 faces, 2 exported",
    ]
    assert len(newcomers(found, 1)) == 1
    assert newcomers(found, 0) == []
    assert isinstance(found.faces, pl.DataFrame)

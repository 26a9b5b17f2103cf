"""Plots stay below what Dagster shows without a click, and draw what they are given."""

from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.reports.contact_sheet import MAX_MARKDOWN_BYTES
from facesets_dagster.reports.plots import bars, histogram, learning_curves


def picture(markdown: str) -> ElementTree.Element:
    assert markdown.startswith("![](data:image/svg+xml,")
    return ElementTree.fromstring(unquote(markdown.split(",", 1)[1].split(")")[0]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.none() | st.floats(-10, 10))
def test_a_histogram_is_small_and_well_formed(values: list[float], threshold: float | None) -> None:
    markdown = histogram(values, "px", threshold=threshold)
    assert len(markdown) < 1000
    assert " " not in markdown.split(")")[0], "a space ends an address in Markdown"
    drawn = picture(markdown)
    assert len(drawn) == (1 if threshold is None else 2)
    assert "median" in markdown


def test_the_threshold_stands_where_it_belongs() -> None:
    drawn = picture(histogram(np.linspace(0, 1, 101), "cos-dist", threshold=0.495))
    assert drawn[1].get("d") == "M110,0V60"


def test_bars_are_as_high_as_their_counts() -> None:
    assert picture(bars([10, 5]))[0].get("d") == "M0,60v-60h108V60zM110,60v-30h108V60z"


def learning(*lines: tuple[list[float], str], tolerance: float = 0.01) -> str:
    return learning_curves(lines, colours={"good": "green", "thin": "red"}, tolerance=tolerance, least=0.001)


def test_learning_curves_run_over_faces_and_fall_with_the_distance_both_logarithmic() -> None:
    markdown = learning(([1.0, 0.1, 0.01, 0.001], "good"), ([0.1, 0.0], "thin"))
    drawn = picture(markdown)
    assert [path.get("stroke") for path in drawn] == ["gray", "#16a34a"], "one point is no curve"
    assert drawn[0].get("d") == "M0,40H220"
    assert drawn[1].get("d") == "M0,0L110,20L174,40L220,60"
    assert markdown.endswith("1 to 4 faces, 0.001 to 1: 1 good (green), 1 thin (red)")


def test_a_few_learning_curves_are_small_and_thousands_are_within_bounds() -> None:
    curve = [0.3 / k for k in range(1, 120)]
    assert len(learning(*[(curve[:40], "good")] * 8)) < 1000
    many = learning(*[(curve, "good")] * 3000)
    assert len(many) < MAX_MARKDOWN_BYTES
    assert many.endswith("200 good (green), 2800 more in the report")


@given(st.lists(st.lists(st.floats(0, 2), min_size=1, max_size=30), min_size=1, max_size=12))
def test_any_learning_curves_are_well_formed(curves: list[list[float]]) -> None:
    markdown = learning(*[(curve, "thin") for curve in curves])
    assert " " not in markdown.split(")")[0]
    picture(markdown)


@pytest.mark.parametrize("nothing", [histogram([], "px"), histogram([float("nan")], "px"), bars([]), learning()])
def test_nothing_is_said_to_be_nothing(nothing: str) -> None:
    assert nothing == "nothing to draw"

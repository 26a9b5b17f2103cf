"""Plots stay below what Dagster shows without a click, and draw what they are given."""

from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.reports.plots import bars, histogram


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


@pytest.mark.parametrize("nothing", [histogram([], "px"), histogram([float("nan")], "px"), bars([])])
def test_nothing_is_said_to_be_nothing(nothing: str) -> None:
    assert nothing == "nothing to draw"

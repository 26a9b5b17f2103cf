"""Numbers on pages have units, states have meanings of their own."""

import ast
from pathlib import Path

import pytest

import facesets_dagster
from facesets_dagster.publishing.funnel import STATES
from facesets_dagster.reports.funnel import colour_of, meaning_of, value_in_words
from facesets_dagster.reports.people import title_of
from facesets_dagster.reports.template import when


def states_in_the_code() -> set[str]:
    """Terminal states with what follows their colon, as `Verdict` is called in the package."""
    found = set(STATES)
    for path in Path(facesets_dagster.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            is_state = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_state and node.value.partition(":")[0] in STATES and node.value.partition(":")[2].isidentifier():
                found.add(node.value)
    return found


def test_every_state_has_a_meaning_of_its_own() -> None:
    states = states_in_the_code()
    assert {"crop_failed:looks_different", "crop_failed:several_faces_found"} <= states
    meanings = [meaning_of(state) for state in sorted(states)]
    assert len({*meanings}) == len(meanings)
    assert len({colour_of(state) for state in STATES}) == len(STATES)


def test_a_reason_that_is_new_names_itself() -> None:
    assert meaning_of("crop_failed:not_enough_light").endswith("no picture could be cut out: not enough light")


@pytest.mark.parametrize(
    ("state", "value", "words"),
    [
        ("small_cluster", 1.0, "1 photo"),
        ("small_cluster", 3.0, "3 photos"),
        ("crop_failed:several_faces_found", 2.0, "2 faces"),
        ("below_gate:face_short", 87.4, "87 px"),
        ("near_duplicate", 0.97, "similarity 0.970"),
        ("crop_failed:looks_different", 0.2, "cos-dist 0.200"),
        ("crop_failed:no_face_found", None, ""),
        ("ignored", 0.2, "cos-dist 0.200"),
        ("ignored", None, ""),
        ("ruled_out", None, ""),
    ],
)
def test_the_number_that_decided_has_a_unit(state: str, value: float | None, words: str) -> None:
    assert value_in_words(state, value) == words


def test_people_read_names_and_dates() -> None:
    assert title_of("press %5B2019%5D") == "press [2019]"
    assert title_of("@library") == "the whole library"
    assert title_of("not % a key") == "not % a key"
    assert when("2026-01-31T13:00:00+01:00") == "2026-01-31 12:00:00 UTC"
    assert when("some day") == "some day"

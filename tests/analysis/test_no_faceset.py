"""A bucket that yields nothing says why, and what to do next."""

import re

import polars as pl
import pytest

from facesets_dagster.analysis.no_faceset import why_no_faceset
from facesets_dagster.publishing.funnel import STATES
from facesets_dagster.registry.registry import DECISION_SCHEMA, NOT_THEIRS


def funnel(*rows: tuple[str, str, float | None, float | None]) -> pl.DataFrame:
    """`face_id`, `state`, `value`, `threshold`."""
    known = pl.DataFrame(rows, schema=["face_id", "state", "value", "threshold"], orient="row")
    blank = {name: pl.lit(None, dtype) for name, dtype in DECISION_SCHEMA.items() if name not in known.columns}
    return known.with_columns(**blank).select(DECISION_SCHEMA.names()).cast(dict(DECISION_SCHEMA))


def clusters(**labels: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"face_id": list(labels), "cluster": list(labels.values())}, schema_overrides={"cluster": pl.Int32}
    )


def small(face: str, size: int) -> tuple[str, str, float, float]:
    return face, "small_cluster", float(size), 6.0


def test_groups_that_are_too_small_are_counted_with_what_they_need() -> None:
    rows = [
        *(small(f"a{n}", 5) for n in range(5)),
        *(small(f"b{n}", 5) for n in range(5)),
        *(small(f"c{n}", 3) for n in range(3)),
        small("d0", 1),
    ]
    labels = {face: "abcd".index(face[0]) for face, *_ in rows}
    said = why_no_faceset("weekend", 20, funnel(*rows), clusters(**labels))
    assert said == (
        "2 people with 5 photos each and 1 person with 3 photos, 6 are needed. "
        "`facesets what-if weekend` shows what other numbers would give."
    )


def test_single_faces_gates_and_known_people_are_told_apart() -> None:
    rows = [small("a", 1), ("b", "below_gate:blur", 3.0, 40.0), ("c", "covered", 0.1, 0.45)]
    said = why_no_faceset("my photos", 3, funnel(*rows), clusters(a=0, b=1, c=-1))
    assert said.startswith(
        "nobody is on more than 1 photo, 6 are needed; 1 face is below a quality gate (blur 1); 1 face"
    )
    assert "`facesets what-if 'my photos'`" in said


@pytest.mark.parametrize("state", [state for state in STATES if state not in NOT_THEIRS])
def test_faces_of_known_people_alone_are_nothing_to_explain(state: str) -> None:
    rows = funnel(("a", state, None, None)).with_columns(identity=pl.lit("faceset_001"))
    assert why_no_faceset("a", 1, rows, clusters(a=-1)) == ""


@pytest.mark.parametrize("state", NOT_THEIRS)
def test_faces_that_a_ruling_took_from_somebody_belong_to_nobody_known(state: str) -> None:
    rows = funnel(("a", state, None, None)).with_columns(identity=pl.lit("faceset_001"))
    assert why_no_faceset("a", 1, rows, clusters(a=-1)).startswith(f"1 face is not counted ({state} 1).")


@pytest.mark.parametrize("state", [state for state in STATES if state != "covered"])
def test_faces_of_any_other_state_are_said(state: str) -> None:
    rows = funnel(("a", state, 2.0, 6.0), ("b", state, 2.0, 6.0))
    said = why_no_faceset("a", 2, rows, clusters(a=0, b=0))
    assert re.match(r"(?:1 person with 2 photos|2 faces are) [^.]+[.] `facesets what-if a`", said.replace(",", " "))


def test_a_bucket_without_photos_or_faces_says_so() -> None:
    assert why_no_faceset("a", 0, funnel(), clusters()) == "there is no photo in it."
    assert "no face was found in 12 photos" in why_no_faceset("a", 12, funnel(), clusters())

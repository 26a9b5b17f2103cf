"""The points of a what-if, its counts and its sentences, without a home."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.analysis.what_if.points import SWEPT, Point, default_sweep, points_of
from facesets_dagster.analysis.what_if.rehearsal import Person, Rehearsed, impossible_pairs
from facesets_dagster.analysis.what_if.table import WHAT_IF_COLUMNS, WHAT_IF_SCHEMA, admitted, change_of, table_of
from facesets_dagster.analysis.what_if.what_if import Answer, WhatIf
from facesets_dagster.analysis.what_if.words import sentences
from facesets_dagster.assets.what_if import WhatIfConfig, WhatIfNumbers, default_numbers
from facesets_dagster.embedding.thresholds import ARCFACE, MOBILEFACENET_128, SFACE

BASE = default_numbers(ARCFACE)


def answer(parameter: str, value: float | None, people: dict[str, set[str]], **more: list[str]) -> Answer:
    """Every member exported, five faces in all; the rest is of small clusters."""
    members = {face for faces in people.values() for face in faces}
    faces = [f"f{number}" for number in range(5)]
    funnel = pl.DataFrame(
        {"face_id": faces, "state": ["exported" if face in members else "small_cluster" for face in faces]}
    )
    title = f"{parameter} {value:g}" if value is not None else "the base point"
    numbers = BASE.with_values({parameter: value}) if value is not None else BASE
    known = {name: Person(frozenset(one), frozenset(one), frozenset(one), 0) for name, one in people.items()}
    result = Rehearsed(funnel, known, more.get("founded", []), [], more.get("vanished", []))
    return Answer(Point(parameter, value, numbers, title), "rebuild", result)


def what_if(*answers: Answer, before: dict[str, set[str]]) -> WhatIf:
    faces = pl.DataFrame({"face_id": [f"f{number}" for number in range(5)], "face_short": [100.0] * 5})
    standing = {name: frozenset(members) for name, members in before.items()}
    return WhatIf(list(answers), standing, pl.DataFrame(), faces, frozenset(), 0)


def test_the_base_comes_first_and_its_own_value_is_in_each_sweep() -> None:
    points = points_of(BASE, {"min_faces": [2, 4], "min_blur": []}, [{"min_faces": 3, "cluster_distance": 0.5}])
    assert [(point.parameter, point.value) for point in points] == [
        ("base", None), ("min_faces", 2), ("min_faces", 4), ("min_faces", 6), ("point", None),
    ]  # fmt: skip
    assert [point.title for point in points[1:4]] == ["min_faces 2", "min_faces 4", "min_faces 6 (base)"]
    assert points[3].numbers == BASE
    assert points[-1].title == "min_faces 3 and cluster_distance 0.5"
    assert points[-1].numbers.discovery.cluster_distance == 0.5


def test_rematch_distance_goes_with_cover_distance_as_its_default_does() -> None:
    assert BASE.with_values({"cover_distance": 0.3}).discovery.rematch_distance == 0.3
    assert BASE.with_values({"cover_distance": 0.3, "rematch_distance": 0.4}).discovery.rematch_distance == 0.4
    assert BASE.with_values({"cover_distance": 0.3, "rematch_distance": 0.45}).discovery.rematch_distance == 0.45
    apart = BASE.with_values({"rematch_distance": 0.4})
    assert apart.with_values({"cover_distance": 0.3}).discovery.rematch_distance == 0.4


@given(st.dictionaries(st.sampled_from(sorted(WhatIfNumbers.model_fields)), st.integers(1, 2)))
def test_a_point_changes_what_it_names_and_nothing_else(values: dict[str, float]) -> None:
    now, then = BASE.flat(), BASE.with_values(values).flat()
    changed = {name: value for name, value in then.items() if value != now[name]}
    follows = {"rematch_distance"} if "cover_distance" in values else set()
    assert changed.keys() <= values.keys() | follows
    assert all(then[name] == value for name, value in values.items())


def test_every_number_of_a_point_is_one_of_a_run_and_a_column_of_the_table() -> None:
    assert set(WhatIfNumbers.model_fields) == set(BASE.flat())
    assert set(BASE.flat()) <= set(WHAT_IF_SCHEMA)
    assert set(WHAT_IF_COLUMNS) | set(BASE.flat()) == set(WHAT_IF_SCHEMA)


@pytest.mark.parametrize("pack", [ARCFACE, SFACE, MOBILEFACENET_128])
@pytest.mark.parametrize("parameter", SWEPT)
def test_a_grid_lies_around_the_packs_number_and_within_bounds(pack: object, parameter: str) -> None:
    numbers = default_numbers(pack).flat()  # type: ignore[arg-type]
    values = WhatIfConfig().sweeps(pack)[parameter]  # type: ignore[arg-type]
    assert values == default_sweep(parameter, pack) == sorted(set(values))  # type: ignore[arg-type]
    assert values[0] < numbers[parameter] < values[-1]
    assert numbers[parameter] in values
    for value in values:
        WhatIfNumbers.model_validate({parameter: value})


def test_without_a_sweep_only_the_points_are_asked() -> None:
    assert WhatIfConfig(sweep=False).sweeps(ARCFACE) == {}
    assert WhatIfConfig(min_faces=[]).sweeps(ARCFACE)["min_faces"] == []


def test_pairs_of_one_photo_are_counted() -> None:
    assert impossible_pairs(pl.Series(["a", "a", "a", "b", "b", "c"])) == 4
    assert impossible_pairs(pl.Series([], dtype=pl.String)) == 0


def test_who_joins_leaves_and_moves_is_told_against_the_library() -> None:
    before = {"faceset_001": {"f0", "f1", "f2"}, "faceset_002": {"f3"}}
    after = answer("min_faces", 3, {"faceset_001": {"f0", "f4"}, "faceset_003": {"f1", "f2"}}, vanished=["faceset_002"])
    change = change_of(before, after)
    assert change.joined == {"faceset_001": 1}
    assert change.left == {"faceset_001": 2}
    assert dict(change.moved) == {("faceset_001", "faceset_003"): 2}


def test_an_identity_under_another_name_is_not_new() -> None:
    base = answer("base", None, {"faceset_001": {"f0", "f1", "f2"}})
    other = answer("min_faces", 3, {"faceset_007": {"f0", "f1"}, "faceset_008": {"f3", "f4"}})
    assert list(admitted(base, other)) == ["faceset_008"]


def test_sentences_say_what_is_admitted_and_what_is_lost_and_values_alike_share_one() -> None:
    known = {"faceset_001": {"f0", "f1"}}
    more = {**known, "faceset_002": {"f2", "f3", "f4"}}
    found = what_if(
        answer("base", None, known), answer("min_faces", 2, more, founded=["faceset_002"]),
        answer("min_faces", 3, more, founded=["faceset_002"]), answer("min_faces", 8, known),
        answer("min_blur", 90, {}, vanished=["faceset_001"]), before=known,
    )  # fmt: skip
    assert sentences(found) == [
        "min_faces 2, 3 would admit 1 more identity (faceset_002: 3 exported), 3 more exported faces.",
        "min_faces 8 would change nothing.",
        "min_blur 90 would lose 1 identity (faceset_001: 2 exported), 2 exported faces; in the library faceset_001 "
        "vanishes.",
    ]
    table = table_of(found)
    assert table["exported"].to_list() == [2, 5, 5, 2, 0]
    assert table["never_rendered"].to_list() == [2, 5, 5, 2, 0]
    assert table["vanished"].to_list() == [0, 0, 0, 0, 1]


def test_sentences_say_who_gains_and_loses_and_what_else_moves_where_the_counts_are_alike() -> None:
    known = {"faceset_001": {"f0", "f1"}, "faceset_002": {"f2"}}
    found = what_if(
        answer("base", None, known), answer("min_blur", 5, {"faceset_001": {"f1"}, "faceset_002": {"f2", "f3"}}),
        answer("min_blur", 90, {"faceset_001": {"f0", "f3", "f4"}, "faceset_002": {"f2"}}), before=known,
    )  # fmt: skip
    assert sentences(found) == [
        "min_blur 5 would have as many identities and exported faces as before (the faces are others); in the library "
        "faceset_001 loses 1 face, faceset_002 gains 1 face.",
        "min_blur 90 would admit 1 more exported face; in the library faceset_001 gains 2 faces and loses 1.",
    ]

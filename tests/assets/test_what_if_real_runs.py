"""What-if against real runs: the same home is copied, the run is really made with a point's numbers, and compared."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from facesets_dagster.analysis.what_if.table import table_of
from facesets_dagster.analysis.what_if.what_if import Answer
from facesets_dagster.publishing.funnel import count_states
from testing.fake_home import FakeHome
from testing.what_if_homes import (
    POINTS,
    SPLIT,
    bucket_with_news,
    copied,
    fill,
    impossible,
    materialize,
    merged_bucket,
    new_bucket,
    own_members,
    published_bucket,
    questions,
    ruled_bucket,
    run_config,
    split_bucket,
)


def assert_equal_to_a_real_run(
    home: FakeHome, answer: Answer, row: dict[str, Any], before: dict[str, set[str]]
) -> None:
    """`home`: where the run was made; `row`: of the asset's table; `before`: own identities before it."""
    decisions, now = home.library.registry.decisions("a"), own_members(home)
    assert answer.result.funnel.equals(decisions)
    assert {name: set(person.members) for name, person in answer.result.people.items()} == now
    states = count_states(decisions)
    assert row["faces"] == len(decisions)
    assert row["exported"] == states["exported"]
    for column in ("ignored", "covered", "outlier", "small_cluster", "same_photo", "near_duplicate", "export_outlier"):
        assert row[column] == states.get(column, 0), column
    for gate in ("face_short", "blur", "det_score"):
        assert row[f"below_{gate}"] == states.get(f"below_gate:{gate}", 0)
    assert row["below_export_gate"] == states.get("below_export_gate:face_short", 0)
    assert row["crop_failed"] == sum(count for state, count in states.items() if state.startswith("crop_failed"))
    assert row["identities"] == len(now)
    here = home.library.registry.memberships(bucket="a")
    assert row["members"] == len(here.filter(pl.col("name").is_in(list(now))))
    assert row["impossible_pairs"] == impossible(home)
    assert row["vanished_names"] == sorted(before.keys() - now.keys())
    assert sorted(row["founded_names"] + row["revived_names"]) == sorted(now.keys() - before.keys())
    changes = {
        name: (len(now[name] - before[name]), len(before[name] - now[name]))
        for name in before.keys() & now.keys()
        if before[name] != now[name]
    }
    assert {one["faceset"]: (one["joined"], one["left"]) for one in row["changes"]} == changes
    assert row["grown"] == sum(joined > 0 for joined, _ in changes.values())


@pytest.mark.parametrize(
    "prepare",
    [
        new_bucket,
        pytest.param(published_bucket, marks=pytest.mark.slow),
        pytest.param(bucket_with_news, marks=pytest.mark.slow),
        pytest.param(merged_bucket, marks=pytest.mark.slow),
        pytest.param(ruled_bucket, marks=pytest.mark.slow),
    ],
)
def test_its_numbers_are_those_of_real_runs(fake_home: FakeHome, tmp_path: Path, prepare: Any) -> None:
    prepare(fake_home)
    before = own_members(fake_home)
    table, _, _ = materialize(fake_home, points=POINTS, sweep=False)
    found = questions(fake_home, *POINTS)
    assert (table["crop_failed"].max() > 0) == (prepare is not new_bucket)
    pairs = zip(found.answers, table.to_dicts(), strict=True)
    asked = [(one, row) for one, row in pairs if one.point.parameter in ("base", "point")]
    seen = set()
    for point, (answer, row) in zip([{}, *POINTS], asked, strict=True):
        with copied(fake_home, tmp_path) as home:
            result = home.run("a", **run_config(point))
            assert_equal_to_a_real_run(home, answer, row, before)
            made = result.asset_materializations_for_node("swap_ready_facesets")[0].metadata
            said = {key: made[key].value if key in made else [] for key in ("founded", "retired", "revived")}
            assert said["founded"] == row["founded_names"]
            assert said["retired"] == row["vanished_names"]
            assert said["revived"] == row["revived_names"]
            assert made["unchanged"].value == (row["mode"] == "unchanged")
            assert home.flaws() == []
        seen.add(tuple(sorted(count_states(answer.result.funnel).items())))
    assert len(seen) >= 4, "points that all come to the same prove nothing"
    published = {"rebuild", "grow"} | (set() if prepare in (bucket_with_news, ruled_bucket) else {"unchanged"})
    assert {row["mode"] for _, row in asked} == ({"grow"} if prepare is new_bucket else published)
    assert any(answer.result.funnel.filter(pl.col("state") == "exported")["value"].count() for answer, _ in asked)


def test_retired_identities_come_back_and_export_numbers_count(fake_home: FakeHome, tmp_path: Path) -> None:
    fill(fake_home)
    fake_home.run("a", osrc_clusters={"min_faces": 5}, swap_ready_facesets={"min_face_short_px": 90})
    fake_home.run("a", osrc_clusters={"min_face_short_px": 150, "min_faces": 5}, swap_ready_facesets={"top_n": 3})
    fake_home.run("a", osrc_clusters={"min_face_short_px": 500, "min_faces": 5}, swap_ready_facesets={"top_n": 3})
    assert own_members(fake_home) == {}
    point = {"min_face_short_px": 90.0, "export_min_face_short_px": 90.0}
    found = questions(fake_home, point)
    assert found.base.point.numbers.discovery.min_face_short_px == 500
    answer = found.answers[-1]
    assert answer.result.revived == ["faceset_001", "faceset_002", "faceset_003"]
    with copied(fake_home, tmp_path) as home:
        home.run("a", osrc_clusters={"min_face_short_px": 90, "min_faces": 5},
                 swap_ready_facesets={"min_face_short_px": 90, "top_n": 3})  # fmt: skip
        row = table_of(found).row(-1, named=True)
        assert_equal_to_a_real_run(home, answer, row, {})


def test_a_faceset_vanishes_if_its_group_shows_nobody_and_its_pictures_are_others(
    fake_home: FakeHome, tmp_path: Path
) -> None:
    """Once it kept its pictures, which others' faces were by then; a retired one shows nobody and stays retired."""
    split_bucket(fake_home)
    before = own_members(fake_home)
    assert list(before) == ["faceset_001"]
    vanished = questions(fake_home, SPLIT).answers[-1]
    assert (vanished.result.vanished, list(vanished.result.people)) == (["faceset_001"], ["faceset_002"])
    fake_home.run("a", **run_config(SPLIT))
    assert vanished.result.funnel.equals(fake_home.library.registry.decisions("a"))
    assert {name: set(person.members) for name, person in vanished.result.people.items()} == own_members(fake_home)
    assert fake_home.flaws() == []
    again = {**SPLIT, "cluster_distance": 0.12}
    found = questions(fake_home, again)
    with copied(fake_home, tmp_path) as home:
        home.run("a", **run_config(again))
        row = table_of(found).row(-1, named=True)
        assert_equal_to_a_real_run(home, found.answers[-1], row, own_members(fake_home))
        assert home.flaws() == []

"""Later photos join people by the rules of a run over all of them; members stay."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.identities.discovery import discover
from facesets_dagster.identities.geometry import centroid, normalised
from facesets_dagster.identities.identity import Identity

DIM = 32
NUMBERS = DiscoveryParameters(
    min_face_short_px=60, min_blur=0, min_det_score=0, cluster_distance=0.4, rematch_distance=0.3,
    outlier_distance=0.7, outlier_min_size=4, min_faces=4, min_clustered_px=30,
    join_two_faces=0.35, join_face_and_group=0.45, join_two_groups=0.45,
)  # fmt: skip
COVER = 0.3


def towards(first: np.ndarray, second: np.ndarray, distance: float) -> np.ndarray:
    """A unit vector at this cos-dist from `first`, in the plane with `second`, which is orthogonal to it."""
    return (1 - distance) * first + np.sqrt(1 - (1 - distance) ** 2) * second


def faces(*groups: tuple[str, np.ndarray, int], noise: float = 0.35, **columns: float) -> pl.DataFrame:
    """So many faces around each middle, in ids `<group><number>`."""
    rng = np.random.default_rng(5)
    rows = []
    for name, middle, count in groups:
        away = rng.normal(size=(count, DIM))
        away -= away.mean(axis=0) * (count > 1) + np.outer(away @ middle, middle) * (count > 1)
        unit = normalised(middle + noise * (count > 1) * normalised(away))
        rows += [{"face_id": f"{name}{number}", "embedding": unit[number]} for number in range(count)]
    table = pl.DataFrame(rows, schema={"face_id": pl.String, "embedding": pl.Array(pl.Float32, DIM)})
    known = {"face_short": 120.0, "blur": 50.0, "det_score": 0.9, **columns}
    return table.with_columns(
        sha256=pl.col("face_id"), model_id=pl.lit("m"), **{k: pl.lit(v) for k, v in known.items()}
    )


def grown(table: pl.DataFrame, members: dict[str, str], numbers: DiscoveryParameters = NUMBERS) -> pl.DataFrame:
    """The cluster table of a bucket whose own identities have these members."""
    unit, ids = normalised(table["embedding"].to_numpy()), table["face_id"].to_list()
    names = sorted(set(members.values()))
    people = [
        Identity(at, name, at, "discovered", None, "here", None, True, at, "m",
                 centroid(unit[[ids.index(face) for face, whose in members.items() if whose == name]]))
        for at, name in enumerate(names)
    ]  # fmt: skip
    found = cover(unit, ids, "here", people, members, {})
    coverage = coverage_table(ids, found, cover_distance=COVER, generation=1, model_id="m")
    return discover(table, coverage, numbers, "grow", set(names))


def state_of(table: pl.DataFrame, prefix: str) -> set[tuple[str, str | None]]:
    return set(table.filter(pl.col("face_id").str.starts_with(prefix)).select("state", "identity").iter_rows())


AXES = np.eye(DIM)
OLD = [("a", AXES[0], 6)]
MEMBERS = {f"a{number}": "faceset_001" for number in range(6)}


def test_a_group_of_new_faces_joins_the_person_as_a_group_would() -> None:
    """None of its faces is within reach by itself: the mean of the group is."""
    table = grown(faces(*OLD, ("b", towards(AXES[0], AXES[1], 0.36), 5)), MEMBERS)
    assert state_of(table, "a") == {("member", "faceset_001")}
    assert state_of(table, "b") == {("joining", "faceset_001")}
    joined = table.filter(pl.col("face_id").str.starts_with("b"))
    assert joined["cluster"].unique().to_list() == [-1]
    assert joined["join_faces"].to_list() == [[5, 6]] * 5
    assert (joined["join_distance"] <= joined["join_threshold"]).all()
    assert joined["value"].equals(joined["join_distance"].rename("value"))


def test_a_group_that_is_too_far_founds_its_own() -> None:
    table = grown(faces(*OLD, ("b", towards(AXES[0], AXES[1], 0.55), 5)), MEMBERS)
    assert state_of(table, "b") == {("candidate", None)}
    assert table["join_distance"].null_count() == len(table)


def test_two_people_are_never_made_one_by_what_lies_between() -> None:
    """The group joins one of them; that they are one person is for a merge proposal to say."""
    between = towards(AXES[0], AXES[1], 0.2)
    other = towards(AXES[0], AXES[1], 0.4)
    table = faces(*OLD, ("b", between, 5), ("c", other, 6))
    members = {**MEMBERS, **{f"c{number}": "faceset_002" for number in range(6)}}
    found = grown(table, members)
    assert state_of(found, "a") == {("member", "faceset_001")}
    assert state_of(found, "c") == {("member", "faceset_002")}
    assert len({name for _, name in state_of(found, "b")}) == 1


@pytest.mark.parametrize(
    ("column", "value", "state"), [("face_short", 50.0, "below_gate:face_short"), ("blur", -1.0, "below_gate:blur")]
)
def test_what_joins_has_to_pass_the_gates(column: str, value: float, state: str) -> None:
    old, new = faces(*OLD), faces(("b", towards(AXES[0], AXES[1], 0.36), 5), **{column: value})
    assert state_of(grown(pl.concat([old, new]), MEMBERS), "b") == {(state, "faceset_001")}


@pytest.mark.parametrize(
    ("at_px", "sharpness", "state"),
    [(112.0, 30.0, "candidate"), (0.0, 30.0, "below_gate:blur"), (112.0, None, "below_gate:blur")],
)
def test_large_faces_are_judged_by_their_sharpness_at_one_size(
    at_px: float, sharpness: float | None, state: str
) -> None:
    """Faces of older caches have none: they are judged as they were."""
    numbers = replace(NUMBERS, min_blur=20, blur_at_px=at_px)
    large = faces(("b", AXES[3], 5), blur=12.0).with_columns(sharpness=pl.lit(sharpness, pl.Float32))
    assert state_of(grown(large, {}, numbers), "b") == {(state, None)}


def test_what_the_recogniser_makes_nothing_of_founds_nobody() -> None:
    """Raw embeddings of half the length: the pictures are no good faces, however near they are to each other."""
    numbers = replace(NUMBERS, good_norm=1.0, min_quality=0.6)
    good, bad = faces(("b", AXES[3], 5)), faces(("h", AXES[5], 5))
    short = bad["embedding"].to_numpy() * np.float32(0.5)
    bad = bad.with_columns(embedding=pl.Series(short, dtype=bad["embedding"].dtype))
    table = grown(pl.concat([good, bad]), {}, numbers)
    assert state_of(table, "b") == {("candidate", None)}
    assert state_of(table, "h") == {("below_gate:quality", None)}
    assert table["value"].to_list()[-1] == pytest.approx(0.5, abs=1e-6)
    assert table.filter(pl.col("state").str.starts_with("below"))["cluster"].n_unique() == 5


def test_tiny_faces_join_last_and_count_for_nothing() -> None:
    """Four of them are no cluster; near a person they are that person's, below the gate."""
    alone = faces(*OLD, ("b", AXES[3], 5))
    tiny = faces(("t", AXES[5], 6), ("u", towards(AXES[3], AXES[7], 0.1), 1), face_short=25.0)
    table = grown(pl.concat([alone, tiny]), MEMBERS)
    assert state_of(table, "t") == {("below_gate:face_short", None)}
    clusters = dict(table.select("face_id", "cluster").iter_rows())
    assert len({clusters[f"t{number}"] for number in range(6)}) == 6
    assert clusters["u0"] == clusters["b0"]


def test_without_a_second_stage_nothing_joins_by_groups() -> None:
    """The legacy rules: the partition of plain average linkage."""
    plain = DiscoveryParameters(**{name: value for name, value in NUMBERS.recorded().items() if "join" not in name})
    table = grown(faces(*OLD, ("b", towards(AXES[0], AXES[1], 0.36), 5)), MEMBERS, plain)
    assert state_of(table, "b") == {("candidate", None)}

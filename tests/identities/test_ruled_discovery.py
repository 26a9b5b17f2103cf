"""A bucket's faces under rulings: nothing that a person said is broken, and nobody else is moved."""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.identities.discovery import discover
from facesets_dagster.identities.geometry import centroid, normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.joining import Joined, JoinRule, People, join_pieces
from facesets_dagster.identities.links import NO_LINKS, RowLinks
from facesets_dagster.identities.small_faces import join_last

DIM = 24
NUMBERS = DiscoveryParameters(
    min_face_short_px=60, min_blur=0, min_det_score=0, cluster_distance=0.4, rematch_distance=0.3,
    outlier_distance=0.7, outlier_min_size=4, min_faces=3, min_clustered_px=30,
    join_two_faces=0.35, join_face_and_group=0.45, join_two_groups=0.45,
)  # fmt: skip
RULE = JoinRule(two_faces=0.3, face_and_group=0.4, two_groups=0.4, quality_gain=0.0)
EYE = np.eye(DIM, dtype=np.float32)


def near(middle: np.ndarray, count: int, seed: int, spread: float = 0.5) -> np.ndarray:
    """Unit rows (count, DIM) around a direction."""
    away = normalised(np.random.default_rng(seed).normal(size=(count, DIM)))
    return normalised(middle + spread * away)


def faces(groups: Mapping[str, np.ndarray], small: Iterable[str] = ()) -> pl.DataFrame:
    """Rows of a face table: ids `<group><row>`; those of `small` are below every gate of size."""
    ids = [f"{name}{row}" for name, rows in groups.items() for row in range(len(rows))]
    return pl.DataFrame(
        {
            "face_id": ids,
            "sha256": ids,
            "embedding": pl.Series(np.concatenate(list(groups.values())), dtype=pl.Array(pl.Float32, DIM)),
            "face_short": [20.0 if face in {*small} else 120.0 for face in ids],
            "blur": 50.0,
            "det_score": 0.9,
            "model_id": "m",
        }
    )


def discovered(
    table: pl.DataFrame,
    bindings: Bindings,
    members: Mapping[str, str] | None = None,
    *,
    foreign: Mapping[str, np.ndarray] | None = None,
    mode: str = "grow",
) -> dict[str, dict]:
    """face_id -> row of the cluster table of a bucket `here` whose own people have these members."""
    unit, ids, members = normalised(table["embedding"].to_numpy()), table["face_id"].to_list(), members or {}
    own = sorted(set(members.values()))
    middles = {name: unit[[ids.index(face) for face, whose in members.items() if whose == name]] for name in own}
    people = [
        Identity(
            at, name, at, "discovered", None, "here" if name in own else "there", None, True, at, "m", centroid(rows)
        )
        for at, (name, rows) in enumerate([*middles.items(), *(foreign or {}).items()], start=1)
    ]
    found = cover(unit, ids, "here", people, members, {}, bindings)
    coverage = coverage_table(ids, found, cover_distance=0.3, generation=1, model_id="m")
    rows = discover(table, coverage, NUMBERS, mode, set(own), frozenset(), bindings)
    return {row["face_id"]: row for row in rows.iter_rows(named=True)}


def group(*ids: str) -> tuple[frozenset[str], ...]:
    return (frozenset(ids),)


def pair(first: str, second: str) -> frozenset[tuple[str, str]]:
    return frozenset({(min(first, second), max(first, second))})


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane."""
    return np.array([[np.cos(np.radians(one)), np.sin(np.radians(one))] for one in degrees], np.float32)


def test_pieces_that_are_apart_do_not_join_even_by_way_of_a_third() -> None:
    unit, labels = at(0, 20, 40), np.arange(3)
    free = join_pieces(unit, np.ones(3), labels, RULE)
    assert len(set(free.labels.tolist())) == 1
    bound = join_pieces(unit, np.ones(3), labels, RULE, apart=np.array([[0, 2]]))
    assert bound.labels[0] != bound.labels[2]
    assert bound.labels[1] in (bound.labels[0], bound.labels[2])


def test_a_piece_never_joins_a_person_that_it_is_refused_to_nor_with_another_piece() -> None:
    unit, labels = at(0, 15, 30), np.arange(3)
    people = People(at(20).astype(np.float64) * 5, np.array([5]), np.ones(1))
    bound = join_pieces(unit, np.ones(3), labels, RULE, people, refused=np.array([[1, 0]]))
    assert bound.person.tolist() == [0, -1, 0]


@given(seed=st.integers(0, 100_000), pairs=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_no_join_breaks_a_pair_and_without_pairs_all_is_as_ever(seed: int, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    unit = normalised(rng.normal(size=(30, 4))).astype(np.float32)
    labels = np.arange(30)
    apart = rng.integers(0, 30, (pairs, 2))
    apart = apart[apart[:, 0] != apart[:, 1]]
    people = People(rng.normal(size=(3, 4)) * 4, np.array([4, 4, 4]), np.ones(3))
    refused = np.stack([rng.integers(0, 30, 5), rng.integers(0, 3, 5)], axis=1)
    bound = join_pieces(unit, np.ones(30), labels, RULE, people, apart, refused)
    final = np.where(bound.person >= 0, -2 - bound.person, bound.labels)
    assert (final[apart[:, 0]] != final[apart[:, 1]]).all()
    assert (bound.person[refused[:, 0]] != refused[:, 1]).all()


def test_small_faces_go_with_their_group_and_never_to_whom_they_are_not() -> None:
    unit = at(0, 2, 90, 92, 5, 1, 3)
    linked = np.array([True] * 4 + [False] * 3)
    first = Joined(np.array([0, 0, 1, 1]), np.full(4, -1), {})
    links = RowLinks((np.array([2, 4]),), np.array([[0, 5]]))
    last = join_last(first, linked, unit, People.nobody(2), 0.2, links)
    assert last.labels[4] == last.labels[2]
    assert last.labels[5] not in (last.labels[0], last.labels[2])
    assert last.labels[6] == last.labels[0]
    assert 5 not in last.joins


def test_of_two_small_faces_that_are_two_people_one_joins() -> None:
    unit = at(0, 2, 10, 3, 3)
    linked = np.array([True, True, False, False, False])
    links = RowLinks((np.array([2, 4]),), np.array([[2, 3]]))
    first = Joined(np.zeros(2, np.int64), np.full(2, -1), {})
    last = join_last(first, linked, unit, People.nobody(2), 0.2, links)
    assert last.labels[3] == last.labels[0]
    assert last.labels[2] == last.labels[4] != last.labels[0]
    refused = join_last(
        first, linked, unit, People(at(1) * 5.0, np.array([5]), np.ones(1)), 0.2, NO_LINKS, np.array([[2, 0]])
    )
    assert refused.person.tolist() == [-1, -1, -1, 0, 0]


def test_one_person_by_ruling_is_one_cluster_and_two_people_are_two() -> None:
    table = faces({"a": near(EYE[0], 6, 1), "b": near(EYE[1], 6, 2)})
    free = discovered(table, NO_BINDINGS)
    assert free["a0"]["cluster"] != free["b0"]["cluster"]
    assert free["a0"]["cluster"] == free["a1"]["cluster"]
    bound = discovered(table, Bindings(together=group("a0", "b0"), apart=pair("a1", "a2")))
    assert bound["a0"]["cluster"] == bound["b0"]["cluster"]
    assert bound["a1"]["cluster"] != bound["a2"]["cluster"]


def test_a_small_face_takes_part_in_links() -> None:
    table = faces({"a": near(EYE[0], 6, 1), "b": near(EYE[1], 6, 2), "s": near(EYE[0], 2, 3)}, small=("s0", "s1"))
    bound = discovered(table, Bindings(together=group("s0", "b0"), apart=pair("s1", "a0")))
    assert bound["s0"]["cluster"] == bound["b0"]["cluster"]
    assert bound["s1"]["cluster"] != bound["a0"]["cluster"]


@pytest.mark.parametrize("mode", ["grow", "rebuild"])
def test_a_face_that_belongs_to_somebody_is_pinned_against_gates_outliers_and_coverage(mode: str) -> None:
    table = faces({"a": near(EYE[0], 5, 1), "z": near(EYE[3], 3, 2)}, small=("z0",))
    members = {"a0": "faceset_020", "a1": "faceset_020", "z0": "faceset_020"}
    belongs = Bindings(belongs={"z0": "faceset_020", "z1": "faceset_020", "z2": "faceset_030"})
    found = discovered(table, belongs, members, foreign={"faceset_030": EYE[4:5], "faceset_031": EYE[3:4]}, mode=mode)
    assert (found["z0"]["state"], found["z0"]["identity"]) == ("member", "faceset_020")
    assert (found["z1"]["state"], found["z1"]["identity"], found["z1"]["value"]) == ("joining", "faceset_020", None)
    assert (found["z2"]["state"], found["z2"]["identity"]) == ("covered", "faceset_030")


def test_faces_of_one_person_go_to_the_identity_that_the_nearest_goes_to() -> None:
    table = faces({"a": near(EYE[0], 5, 1, 0.2), "z": near(EYE[3], 4, 2, 0.2)})
    members = {f"a{row}": "faceset_020" for row in range(4)}
    own = discovered(table, Bindings(together=group("a4", "z0")), members)
    assert [(own[face]["state"], own[face]["identity"]) for face in ("a4", "z0")] == [("joining", "faceset_020")] * 2
    there = discovered(table, Bindings(together=group("z0", "a4")), foreign={"faceset_030": EYE[3:4]})
    assert [there[face]["identity"] for face in ("a4", "z0")] == ["faceset_030"] * 2
    taken = discovered(table, Bindings(together=group("a0", "z0")), members)
    assert (taken["z0"]["state"], taken["z0"]["identity"]) == ("joining", "faceset_020")


def test_a_face_that_is_refused_neither_joins_by_itself_nor_with_its_piece() -> None:
    table = faces({"a": near(EYE[0], 8, 1, 0.3)})
    members = {f"a{row}": "faceset_020" for row in range(5)}
    assert {discovered(table, NO_BINDINGS, members)[f"a{row}"]["identity"] for row in (5, 6, 7)} == {"faceset_020"}
    found = discovered(table, Bindings(refused={"a5": frozenset({"faceset_020"})}, apart=pair("a6", "a0")), members)
    assert [found[face]["identity"] for face in ("a5", "a6", "a7")] == [None, None, "faceset_020"]


def test_ignored_people_found_nobody_and_bridge_nothing() -> None:
    stranger = near(EYE[1], 6, 2, 0.3)
    table = faces({"a": near(EYE[0], 5, 1, 0.3), "s": stranger})
    people = IgnoredPeople(("r1",), stranger[:2], np.zeros(2, np.int64), np.array([0.4]), ("faceset_040",))
    found = discovered(table, Bindings(ignored={"s0": "r1", "s1": "r1"}, people=people))
    assert [found[f"s{row}"]["state"] for row in range(6)] == ["ignored"] * 6
    assert {(found[f"s{row}"]["cluster"], found[f"s{row}"]["ruling"]) for row in range(6)} == {(-1, "r1")}
    assert (found["s0"]["value"], found["s0"]["threshold"], found["s0"]["identity"]) == (None, None, "faceset_040")
    assert found["s5"]["value"] <= found["s5"]["threshold"] == pytest.approx(0.4)
    assert {found[f"a{row}"]["state"] for row in range(5)} == {"candidate"}


def drawn_bindings(seed: int, ids: list[str], names: list[str], taken: Mapping[str, str]) -> Bindings:
    """A consistent handful of rulings over some faces."""
    rng = np.random.default_rng(seed)
    some = [str(face) for face in rng.permutation([face for face in ids if face not in taken])]
    groups = (frozenset(some[:3]), frozenset(some[3:5]))
    pairs = {(min(a, b), max(a, b)) for a, b in zip(some[0:6], some[5:11], strict=True)}
    pairs = {one for one in pairs if not any({*one} <= mine for mine in groups)}
    if taken:
        mate, other = sorted(taken)[0], some[11]
        pairs.add((min(mate, other), max(mate, other)))
    refused = {some[12]: frozenset(names[:1]), some[13]: frozenset(names)}
    belongs = {some[14]: names[0]} if names else {}
    return Bindings(groups, frozenset(pairs), refused if names else {}, belongs, {some[15]: "r1"})


@given(seed=st.integers(0, 100_000), mode=st.sampled_from(["grow", "rebuild"]), linked=st.booleans())
@settings(max_examples=120, deadline=None)
def test_nothing_that_was_said_is_broken(seed: int, mode: str, linked: bool) -> None:
    rng = np.random.default_rng(seed)
    middles = normalised(rng.normal(size=(6, DIM)))
    groups = {name: near(middles[at], 7, seed + at, rng.uniform(0.3, 1.2)) for at, name in enumerate("abcdef")}
    small = () if linked else [f"{name}{row}" for name in "abcdef" for row in (1, 3)]
    table = faces(groups, small)
    members = {"a0": "faceset_020", "a1": "faceset_020", "a2": "faceset_020", "b0": "faceset_021", "b2": "faceset_021"}
    foreign = {"faceset_030": groups["c"], "faceset_031": groups["d"][:2]}
    names = ["faceset_020", "faceset_021", "faceset_030"]
    said = drawn_bindings(seed, table["face_id"].to_list(), names, members)
    found = discovered(table, said, members, foreign=foreign, mode=mode)

    def ends(face: str) -> tuple[str | None, int] | None:
        row = found[face]
        return None if row["identity"] is None and row["cluster"] < 0 else (row["identity"], row["cluster"])

    for one in said.together:
        assert len({ends(face) for face in one}) == 1
    for first, second in said.apart:
        gone = [face for face in (first, second) if found[face]["state"].startswith("below_gate")]
        assert ends(first) is None or ends(first) != ends(second) or (gone and found[gone[0]]["cluster"] < 0)
    for face, refused in said.refused.items():
        assert found[face]["identity"] not in refused
    for face, name in said.belongs.items():
        assert found[face]["identity"] == name
    for face in said.ignored:
        assert found[face]["state"] == "ignored"


@given(seed=st.integers(0, 100_000), mode=st.sampled_from(["grow", "rebuild"]))
@settings(max_examples=60, deadline=None)
def test_faces_that_no_ruling_touches_end_as_without(seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    groups = {}
    for place, name in enumerate("abcdef"):  # named faces lie in one half of the space, the others in the other
        half = slice(0, DIM // 2) if name in "abc" else slice(DIM // 2, DIM)
        rows = np.zeros((7, DIM), np.float32)
        rows[:, half] = near(rng.normal(size=DIM), 7, seed + place, 0.9)[:, half]
        groups[name] = normalised(rows)
    table = faces(groups, small=("a6", "d6", "e5"))
    ids = table["face_id"].to_list()
    members = {"a0": "faceset_020", "a1": "faceset_020", "d0": "faceset_021", "d1": "faceset_021"}
    said = drawn_bindings(seed, [face for face in ids if face[0] in "abc"], ["faceset_020"], {"a0": "faceset_020"})
    people = IgnoredPeople(("r1",), groups["b"][:2], np.zeros(2, np.int64), np.array([0.4]))
    said = Bindings(said.together, said.apart, said.refused, said.belongs, said.ignored, people)
    with_rulings, without = (discovered(table, one, members, mode=mode) for one in (said, NO_BINDINGS))
    untouched = [face for face in ids if face[0] in "def"]
    columns = ("state", "identity", "value", "threshold", "join_distance", "join_faces", "ruling")
    for face in untouched:
        one, other = ([rows[face][column] for column in columns] for rows in (with_rulings, without))
        assert one == [pytest.approx(value, abs=1e-5) if isinstance(value, float) else value for value in other]
    for first in untouched:
        for second in untouched:
            same = (rows[first]["cluster"] == rows[second]["cluster"] for rows in (with_rulings, without))
            assert len({*same}) == 1

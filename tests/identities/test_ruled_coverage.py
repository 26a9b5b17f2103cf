"""Rulings come before numbers: who may not cover a face, whose it is, and what people who are ignored have."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.identities import coverage
from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.coverage_table import COVERAGE_SCHEMA, as_of_now, coverage_table
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity

X, Y, Z = np.eye(3, dtype=np.float32)


def identity(name: str, centroid: np.ndarray, bucket: str = "there", parent: str | None = None) -> Identity:
    unit = normalised(centroid[None])[0]
    return Identity(0, name, int(name[8:11]), "discovered", parent, bucket, None, True, 1, "m", unit)


def ignoring(*exemplars: np.ndarray, reach: float = 0.3) -> IgnoredPeople:
    """One person who is ignored by ruling `r1`."""
    unit = normalised(np.array(exemplars))
    return IgnoredPeople(("r1",), unit, np.zeros(len(unit), np.int64), np.array([reach]), ("faceset_040",))


def table_for(
    rows: list[np.ndarray],
    identities: list[Identity],
    bindings: Bindings,
    members: Mapping[str, str] | None = None,
    copies: Mapping[str, str] | None = None,
) -> list[dict]:
    ids = [f"f{i}" for i in range(len(rows))]
    found = cover(normalised(np.array(rows)), ids, "here", identities, members or {}, copies or {}, bindings)
    return coverage_table(ids, found, cover_distance=0.45, generation=1, model_id="m").to_dicts()


ERA = "faceset_020_era_2010-2013"
TWO = [
    identity("faceset_020", X),
    identity(ERA, X + 0.1 * Y, parent="faceset_020"),
    identity("faceset_021", X + 0.6 * Y),
]


def test_a_face_that_is_refused_goes_to_the_next_nearest_and_not_to_an_era_of_whom_it_is_not() -> None:
    refused = Bindings(refused={"f0": frozenset({"faceset_020"})})
    said, free = table_for([X, X], TWO, refused)
    assert (said["covered_by"], said["ambiguous_with"]) == ("faceset_021", None)
    assert (free["covered_by"], free["ambiguous_with"]) == ("faceset_020", "faceset_021")


def test_a_face_that_everybody_is_refused_for_is_covered_by_nobody() -> None:
    refused = Bindings(refused={"f0": frozenset({"faceset_020", "faceset_021"})})
    (row,) = table_for([X], TWO, refused)
    assert (row["covered"], row["nearest"], row["ambiguous_with"]) == (False, None, None)


def test_an_own_identity_and_a_copy_of_bytes_are_refused_too() -> None:
    refused = Bindings(refused={"f0": frozenset({"faceset_020"}), "f1": frozenset({"faceset_021"})})
    own, copy = table_for([X, Z], [identity("faceset_020", X, "here"), TWO[2]], refused, copies={"f1": "faceset_021"})
    assert (own["own"], own["nearest"]) == (None, "faceset_021")
    assert not copy["covered"]


def test_a_member_that_is_refused_keeps_the_distance_to_its_own_identity() -> None:
    refused = Bindings(refused={"f0": frozenset({"faceset_020"})})
    own = [identity("faceset_020", X, "here")]
    assert table_for([X], own, refused, {"f0": "faceset_020"})[0]["own_distance"] == 0.0


def test_a_face_belongs_to_whom_a_ruling_says_however_far() -> None:
    belongs = Bindings(belongs={"f0": "faceset_021", "f1": "faceset_022"})
    there, here = table_for([X, X], [*TWO, identity("faceset_022", Z, "here")], belongs)
    assert (there["covered"], there["covered_by"], there["ambiguous_with"]) == (True, "faceset_021", None)
    assert there["foreign_distance"] == pytest.approx(float(1 - X @ TWO[2].centroid), abs=1e-6)
    assert (here["covered"], here["nearest"], here["own"]) == (False, "faceset_022", "faceset_022")


def test_whoever_is_apart_from_a_member_is_not_covered_by_whose_it_is() -> None:
    apart = Bindings(apart=frozenset({("f0", "f1")}))
    _, other = table_for([X, X], TWO, apart, {"f0": "faceset_020"})
    assert other["covered_by"] == "faceset_021"


def test_a_group_with_a_member_belongs_to_whose_it_is_and_is_refused_as_one() -> None:
    said = Bindings(
        together=(frozenset({"f0", "f1"}), frozenset({"f2", "f3"})), refused={"f3": frozenset({"faceset_020"})}
    )
    _, mate, refused, _ = table_for([X, Z, X, Z], TWO, said, {"f0": "faceset_021"})
    assert mate["covered_by"] == "faceset_021"
    assert refused["covered_by"] == "faceset_021"


def test_of_two_free_faces_that_are_two_people_the_nearer_goes_and_the_other_looks_on() -> None:
    apart = Bindings(apart=frozenset({("f0", "f1")}), together=(frozenset({"f0", "f2"}),))
    far, near, mate = table_for([X + 0.2 * Z, X, X + 0.1 * Z], TWO, apart)
    assert near["covered_by"] == "faceset_020"
    assert (far["covered_by"], mate["covered_by"]) == ("faceset_021", "faceset_021")


def test_a_face_near_two_exemplars_of_an_ignored_person_is_ignored_with_the_distance_that_decided() -> None:
    people = ignoring(X, X + 0.5 * Y)
    near, one_only, far = table_for([X + 0.1 * Y, X - 0.9 * Y, Z], [], Bindings(people=people))
    assert (near["ignored_by"], near["ignored_reach"]) == ("r1", pytest.approx(0.3))
    assert near["ignored_distance"] == pytest.approx(1 - float(normalised(X + 0.1 * Y) @ X), abs=1e-6)
    assert one_only["ignored_by"] is None
    assert far["ignored_by"] is None


def test_a_single_exemplar_reaches_alone() -> None:
    assert table_for([X + 0.1 * Y], [], Bindings(people=ignoring(X)))[0]["ignored_by"] == "r1"


def test_somebody_who_is_kept_wins_where_they_are_as_near_or_nearer() -> None:
    people = Bindings(people=ignoring(X, X))
    tie, nearer = table_for([X, X + 0.1 * Y], [identity("faceset_020", X)], people)
    assert (tie["covered_by"], nearer["covered_by"]) == ("faceset_020", "faceset_020")
    assert {tie["ignored_by"], nearer["ignored_by"]} == {None}


def test_members_and_faces_that_belong_to_somebody_are_never_swallowed() -> None:
    said = Bindings(people=ignoring(X), belongs={"f1": "faceset_021"}, ignored={"f0": "r1"})
    rows = table_for([X, X, X, X], [identity("faceset_021", Y)], said, {"f0": "faceset_021"}, {"f2": "faceset_021"})
    assert [row["ignored_by"] for row in rows] == [None, None, None, "r1"]


def test_an_ignored_face_is_covered_by_nobody() -> None:
    said = Bindings(people=ignoring(X), ignored={"f1": "r2"})
    by_reach, by_name = table_for([X, X], [identity("faceset_020", X + 0.2 * Y)], said)
    assert (by_reach["covered"], by_reach["covered_by"], by_reach["ignored_by"]) == (False, None, "r1")
    assert (by_name["ignored_by"], by_name["ignored_distance"], by_name["ignored_reach"]) == ("r2", None, None)


def test_a_group_is_swallowed_as_a_whole_or_not_at_all() -> None:
    groups = (frozenset({"f0", "f1"}), frozenset({"f2", "f3"}))
    rows = table_for([X, Z, X, X], [], Bindings(together=groups, people=ignoring(X)))
    assert [row["ignored_by"] for row in rows] == [None, None, "r1", "r1"]


def test_bindings_are_on_record_and_older_tables_still_open() -> None:
    said = Bindings(ignored={"f0": "r2"})
    rows = table_for([X, Y], TWO, said)
    assert {row["bindings"] for row in rows} == {said.digest()}
    older = pl.DataFrame(rows, schema=COVERAGE_SCHEMA).drop(
        "bindings", "ignored_by", "ignored_distance", "ignored_reach"
    )
    assert as_of_now(older).schema == COVERAGE_SCHEMA
    assert as_of_now(older)["ignored_by"].null_count() == 2


def drawn(seed: int) -> tuple[np.ndarray, list[Identity], dict[str, str], Bindings]:
    """Thirty faces, some of them members, and rulings over a few."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(30, 6)).astype(np.float32)
    names = [f"faceset_{number:03d}" for number in range(20, 26)]
    people = [identity(name, rng.normal(size=6), rng.choice(["here", "there"])) for name in names]
    ids = [f"f{row}" for row in range(30)]
    members = {face: str(rng.choice(names)) for face in ids if rng.random() < 0.2}
    free = [face for face in ids if face not in members]
    bound = [str(face) for face in rng.permutation(free)[:12]]
    pairs = {tuple(sorted(rng.choice([*bound[:4], *bound[6:8]], 2, replace=False).tolist())) for _ in range(3)}
    groups = (frozenset(bound[4:6]), frozenset(bound[6:8]))
    said = Bindings(
        together=groups,
        apart=frozenset((str(a), str(b)) for a, b in pairs if not {a, b} <= groups[1]),
        refused={bound[8]: frozenset(names[:2]), bound[4]: frozenset(names[3:4])},
        belongs={bound[9]: names[4]},
        ignored={bound[10]: "r9"},
    )
    return rows, people, members, said


@given(seed=st.integers(0, 100_000))
@settings(max_examples=150, deadline=None)
def test_rulings_are_kept_and_faces_that_they_do_not_name_are_covered_as_without(seed: int) -> None:
    rows, people, members, said = drawn(seed)
    with_rulings = table_for(list(rows), people, said, members)
    without = table_for(list(rows), people, NO_BINDINGS, members)
    named = {*said.refused, *said.belongs, *said.ignored, *(face for group in said.together for face in group)}
    named |= {face for pair in said.apart for face in pair}
    by_id = {row["face_id"]: row for row in with_rulings}
    for row in without:
        if row["face_id"] not in named:
            assert {**by_id[row["face_id"]], "bindings": None} == row
    for first, second in said.apart:
        one, other = by_id[first], by_id[second]
        assert one["foreign"] is None or one["foreign"] != other["foreign"]
        assert one["own"] is None or one["own"] != other["own"]
    for face, names in said.refused.items():
        assert not {by_id[face][column] for column in ("own", "foreign", "ambiguous_with", "covered_by")} & names


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, people, members, said = drawn(3)
    said = Bindings(**{**vars(said), "people": ignoring(*rows, reach=0.8)})
    whole = table_for(list(rows), people, said, members)
    assert any(row["ignored_by"] == "r1" for row in whole)
    monkeypatch.setattr(coverage, "_BLOCK_FACES", 7)
    assert table_for(list(rows), people, said, members) == whole

"""Clusters under rulings: nobody gets a face that is not theirs, and the others stay where they are."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.cluster_table import CLUSTER_SCHEMA
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid
from facesets_dagster.identities.identity import Identity
from facesets_dagster.publishing.proposal import Proposal, proposal_of
from facesets_dagster.publishing.resolution import Resolution, resolve

AXES = np.eye(6, dtype=np.float32)


def identity(number: int, axis: int, *, bucket: str = "here", live: bool = True, parent: str | None = None) -> Identity:
    name = f"faceset_{number:03d}" if parent is None else f"{parent}_era_2010-2012"
    kind = "discovered" if parent is None else "era"
    return Identity(number, name, number, kind, parent, bucket, None, live, number, "m", AXES[axis])


def faces(prefix: str, count: int) -> set[str]:
    return {f"{prefix}{place}" for place in range(count)}


def resolved(
    clusters: Mapping[int, tuple[set[str], int]],
    identities: list[Identity],
    bindings: Bindings,
    members: Mapping[str, Mapping[str, str]] | None = None,
    *,
    mode: str = "rebuild",
    verdicts: Mapping[str, Verdict] | None = None,
) -> Resolution:
    """Clusters of faces that lie on one axis each."""
    unit = {face: AXES[axis] for rows, axis in clusters.values() for face in rows}
    known = {**dict.fromkeys(unit, Verdict("candidate")), **(verdicts or {})}
    proposal = Proposal(
        bucket="here",
        mode=mode,
        min_faces=2,
        rematch_distance=0.45,
        verdicts=known,
        clusters={label: rows for label, (rows, _) in clusters.items()},
        photo_of={face: face for face in known},
        unit={**unit, **dict.fromkeys(known.keys() - unit.keys(), AXES[5])},
        bindings=bindings,
    )

    def build(rows: Mapping[str, str], name: str | None) -> np.ndarray | None:
        known = [proposal.unit[face] for face in rows if face in proposal.unit]
        return centroid(np.array(known)) if known else AXES[5]

    return resolve(proposal, identities, members or {}, {}, build)


def of(result: Resolution, name: str | None) -> set[str]:
    return {face for group in result.groups if group.name == name for face in group.members}


def founded(faces: set[str]) -> dict[str, str]:
    return dict.fromkeys(sorted(faces), "founded")


def refusing(name: str, *faces: str) -> Bindings:
    return Bindings(refused={face: frozenset({name}) for face in faces})


def test_a_person_is_found_again_without_the_face_that_is_not_theirs() -> None:
    members = {"faceset_020": founded(faces("a", 6))}
    result = resolved({0: (faces("a", 6), 0)}, [identity(20, 0)], refusing("faceset_020", "a0"), members)
    assert of(result, "faceset_020") == faces("a", 6) - {"a0"}
    assert result.overrides["a0"] == Verdict("small_cluster", 1.0, 2.0)
    assert result.vanished == []


def test_faces_that_are_all_refused_found_a_person_of_their_own() -> None:
    members = {"faceset_020": founded(faces("a", 3))}
    refused = refusing("faceset_020", "a0", "a1", "a2")
    result = resolved({0: (faces("a", 3), 1)}, [identity(20, 0)], refused, members)
    assert [one.name for one in result.vanished] == ["faceset_020"]
    assert of(result, None) == faces("a", 3)


def test_a_retired_person_comes_back_without_the_face_that_is_not_theirs() -> None:
    members = {"faceset_020": founded(faces("a", 5))}
    refused = refusing("faceset_020", "b0")
    found = resolved({0: (faces("a", 5) | {"b0"}, 0)}, [identity(20, 0, live=False)], refused, members, mode="grow")
    assert of(found, "faceset_020") == faces("a", 5)
    assert found.overrides["b0"].state == "small_cluster"


def test_a_cluster_with_a_face_that_is_refused_is_covered_by_the_next_nearest_and_by_no_era() -> None:
    people = [identity(20, 0, bucket="there"), identity(20, 0, bucket="there", parent="faceset_020")]
    refused = refusing("faceset_020", "a0")
    alone = resolved({0: (faces("a", 3), 0)}, people, refused)
    assert of(alone, None) == faces("a", 3)
    beside = resolved({0: (faces("a", 3), 0)}, [*people, identity(21, 0, bucket="there")], refused)
    assert {beside.overrides[face].identity for face in faces("a", 3)} == {"faceset_021"}
    free = resolved({0: (faces("a", 3), 0)}, people, NO_BINDINGS)
    assert {free.overrides[face].identity for face in faces("a", 3)} == {"faceset_020"}


def test_a_cluster_whose_face_is_apart_from_a_member_or_a_face_of_this_run_is_another_persons() -> None:
    apart = Bindings(apart=frozenset({("a0", "b0")}))
    members = {"faceset_020": founded(faces("a", 3))}
    two = {0: (faces("a", 3), 0), 1: (faces("b", 3), 0)}
    result = resolved(two, [identity(20, 0)], apart, members)
    assert of(result, "faceset_020") == faces("a", 3)
    assert of(result, None) == faces("b", 3)
    new = resolved(two, [], apart)
    assert [set(group.members) for group in new.groups] == [faces("a", 3), faces("b", 3)]
    covered = resolved(two, [identity(30, 0, bucket="there")], apart)
    assert {covered.overrides[face].identity for face in faces("a", 3)} == {"faceset_030"}
    assert of(covered, None) == faces("b", 3)


def test_faces_kept_apart_do_not_meet_in_a_person_by_overlap() -> None:
    apart = Bindings(apart=frozenset({("a0", "c0")}))
    members = {"faceset_020": founded({*faces("a", 3), *faces("b", 2)})}
    merged = {*faces("b", 2), *faces("c", 2)}
    result = resolved({0: (merged, 1), 1: (faces("a", 3), 0)}, [identity(20, 0)], apart, members)
    assert of(result, "faceset_020") == faces("a", 3)
    assert of(result, None) == merged


def test_a_cluster_that_holds_a_face_of_somebody_is_theirs() -> None:
    said = Bindings(belongs={"a0": "faceset_020", "b0": "faceset_021", "c0": "faceset_030"})
    people = [identity(20, 3), identity(21, 4), identity(30, 2, bucket="there")]
    members = {"faceset_020": founded({"x"}), "faceset_021": founded({"y"})}
    clusters = {0: (faces("a", 3), 0), 1: ({*faces("b", 3)}, 1), 2: (faces("c", 3), 5)}
    result = resolved(clusters, people, said, members, mode="grow")
    assert of(result, "faceset_020") == {*faces("a", 3), "x"}
    assert of(result, "faceset_021") == {*faces("b", 3), "y"}
    assert result.overrides["c0"] == Verdict("covered", None, None, "faceset_030")
    assert of(result, None) == {"c1", "c2"}


def test_members_by_a_ruling_stay_when_everything_is_clustered_again() -> None:
    said = Bindings(belongs={"z": "faceset_020", "w": "faceset_021"})
    members = {"faceset_020": founded({"z", "a0", "a1"}), "faceset_021": founded({"y"})}
    verdicts = {"z": Verdict("member", None, None, "faceset_020"), "w": Verdict("joining", None, None, "faceset_021")}
    result = resolved({0: ({"a0", "a1"}, 0)}, [identity(20, 0), identity(21, 1)], said, members, verdicts=verdicts)
    assert of(result, "faceset_020") == {"z", "a0", "a1"}
    assert of(result, "faceset_021") == {"w"}
    nobody_else = resolved({}, [identity(20, 0)], said, members, verdicts={"z": verdicts["z"]})
    assert of(nobody_else, "faceset_020") == {"z"}


def test_rulings_that_came_after_the_tables_are_obeyed() -> None:
    people = IgnoredPeople(("r1",), AXES[:1], np.zeros(1, np.int64), np.array([0.1]), ("faceset_040",))
    said = Bindings(
        refused={"j": frozenset({"faceset_020"}), "c": frozenset({"faceset_030"})},
        ignored={"a0": "r1"},
        apart=frozenset({("p", "q"), ("a1", "q")}),
        people=people,
    )
    verdicts = {
        "j": Verdict("joining", 0.1, 0.4, "faceset_020"),
        "c": Verdict("covered", 0.1, 0.4, "faceset_030"),
        "p": Verdict("joining", 0.2, 0.4, "faceset_020"),
        "q": Verdict("joining", 0.1, 0.4, "faceset_020"),
    }
    everybody = [identity(20, 0), identity(30, 1, bucket="there")]
    members = {"faceset_020": founded({"x"})}
    result = resolved({0: (faces("a", 3), 2)}, everybody, said, members, mode="grow", verdicts=verdicts)
    assert of(result, "faceset_020") == {"x", "q"}
    assert result.overrides["j"] == result.overrides["p"] == Verdict("ruled_out", None, None, "faceset_020")
    assert result.overrides["c"] == Verdict("ruled_out", None, None, "faceset_030")
    assert result.overrides["a0"] == Verdict("ignored", None, None, "faceset_040", "r1")
    assert of(result, None) == {"a1", "a2"}


@given(seed=st.integers(0, 100_000), mode=st.sampled_from(["grow", "rebuild"]))
@settings(max_examples=150, deadline=None)
def test_no_drawn_ruling_is_broken_and_other_clusters_end_as_without(seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    clusters = {label: (faces("abcd"[label], 4), int(rng.integers(0, 2))) for label in range(4)}
    clusters[4] = (faces("e", 4), 4)  # far from everybody; no ruling names it
    is_live, axis = bool(rng.random() < 0.7), int(rng.integers(0, 3))
    everybody = [identity(20, 0), identity(21, 1, live=is_live), identity(30, axis, bucket="there")]
    named = [face for label in range(4) for face in sorted(clusters[label][0])]
    drawn = [str(face) for face in rng.permutation(named)]
    members = {
        "faceset_020": founded({*drawn[:3]}) if mode == "rebuild" else founded({"x"}),
        "faceset_021": founded({*drawn[3:6]}) if mode == "rebuild" or not is_live else founded({"y"}),
    }
    label_of = {face: label for label, (rows, _) in clusters.items() for face in rows}
    pairs = ((min(a, b), max(a, b)) for a, b in zip(drawn[::2], drawn[1::2], strict=True))
    names = ("faceset_020", "faceset_021", "faceset_030")
    said = Bindings(
        apart=frozenset(pair for pair in pairs if label_of[pair[0]] != label_of[pair[1]]),
        refused={face: frozenset({str(rng.choice(names))}) for face in drawn[4:9]},
    )
    result = resolved(clusters, everybody, said, members, mode=mode)
    home = {face: (group.name or str(place)) for place, group in enumerate(result.groups) for face in group.members}
    for face, refused in said.refused.items():
        assert home.get(face) not in refused
        assert face not in result.overrides or result.overrides[face].identity not in refused
    for first, second in said.apart:
        assert home.get(first) is None or home.get(first) != home.get(second)
    without = resolved(clusters, everybody, NO_BINDINGS, members, mode=mode)
    assert clusters[4][0] in [set(group.members) for group in result.groups]
    assert clusters[4][0] in [set(group.members) for group in without.groups]


def test_a_face_that_a_ruling_says_to_be_one_person_with_others_is_not_taken_to_somebody_else() -> None:
    members = {"faceset_020": founded(faces("a", 5)), "faceset_021": founded(faces("b", 5))}
    people = [identity(20, 0), identity(21, 1)]
    clusters = {0: (faces("a", 5) - {"a0", "a4"}, 0), 1: (faces("b", 5) | {"a0"}, 1), 2: ({"a4"}, 2)}
    said = Bindings(stays={"a0": "faceset_020", "a1": "faceset_020", "a4": "faceset_020", "b0": "faceset_099"})
    result = resolved(clusters, people, said, members)
    assert (of(result, "faceset_020"), of(result, "faceset_021")) == (faces("a", 5), faces("b", 5))
    assert (result.overrides, result.new_groups()) == ({}, [])
    free = resolved(clusters, people, NO_BINDINGS, members)
    assert (of(free, "faceset_020"), of(free, "faceset_021")) == (faces("a", 5) - {"a0", "a4"}, faces("b", 5) | {"a0"})


def test_of_one_whose_faces_all_go_to_somebody_else_those_stay_that_a_ruling_names() -> None:
    members = {"faceset_020": founded(faces("a", 3)), "faceset_021": founded(faces("b", 5))}
    said = Bindings(stays={"a0": "faceset_020", "a1": "faceset_020"})
    result = resolved({0: (faces("a", 3) | faces("b", 5), 1)}, [identity(20, 0), identity(21, 1)], said, members)
    assert (of(result, "faceset_020"), of(result, "faceset_021")) == ({"a0", "a1"}, faces("b", 5) | {"a2"})
    assert result.vanished == []


def test_a_table_of_an_older_release_has_no_rulings() -> None:
    row = {"face_id": "a", "state": "candidate", "cluster": 0, "mode": "grow", "model_id": "m"}
    table = pl.DataFrame([row], schema=CLUSTER_SCHEMA)
    numbers = {"min_faces": 1, "rematch_distance": 0.4, "photo_of": {"a": "a"}, "unit": {"a": AXES[0]}}
    now, then = (proposal_of("here", frame, **numbers) for frame in (table, table.drop("ruling")))
    assert now.verdicts == then.verdicts == {"a": Verdict("candidate")}
    ignored = table.with_columns(state=pl.lit("ignored"), ruling=pl.lit("r1"))
    assert proposal_of("here", ignored, **numbers).verdicts == {"a": replace(Verdict("ignored"), ruling="r1")}

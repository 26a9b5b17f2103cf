"""Rules of a policy held against face sets: property tests over any of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.identities.consent import APPROVED, Judge, Policy, Rule, Subject, lies_in

CONTENTS = [f"{number:016x}" for number in range(6)]
FACES = [f"{content}-0001-0001" for content in CONTENTS]
WAYS = [
    Rule("person", "ANNA  "),
    Rule("faceset", "faceset_001"),
    Rule("faceset", "faceset_009"),
    Rule("photo", "a.jpg"),
    Rule("folder", "b"),
]


def unit(angle: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def judge(policy: Policy, inside: set[str], approved: set[str] | None = None) -> Judge:
    return Judge(
        policy,
        0.4,
        leads_to={"faceset_009": "faceset_001"},
        contents={"folder: b": {face[:16] for face in inside}},
        probes={"photo: a.jpg": unit(0.1)},
        approved={"faceset_001": approved or set()},
    )


ANNA = Subject("faceset_001", "faceset_001", "Anna", unit(0.0))
ERA = Subject("faceset_001_era_2010-2012", "faceset_001", "Anna", unit(1.4))
BERTA = Subject("faceset_002", "faceset_002", "Berta", unit(1.6))

some = st.sets(st.sampled_from(FACES))


@given(st.lists(st.sampled_from(WAYS), max_size=5), some, some)
def test_whoever_a_rule_means_is_withheld_whole_and_of_a_folder_its_faces(
    rules: list[Rule], faces: set[str], inside: set[str]
) -> None:
    policy = Policy(rules=tuple(rules))
    of_folder = faces & inside if any(rule.kind == "folder" for rule in rules) else set()
    hers, theirs = judge(policy, inside).on(ANNA, faces), judge(policy, inside).on(BERTA, faces)
    if any(rule.kind != "folder" for rule in rules):
        assert hers is not None
        assert hers.faces == faces
    else:
        assert (hers.faces if hers else set()) == of_folder
    assert (theirs.faces if theirs else set()) == of_folder
    assert theirs is None or theirs.rules == ("folder: b",)


@given(some, some)
def test_without_rules_nothing_is_withheld(faces: set[str], inside: set[str]) -> None:
    assert judge(Policy(), inside).on(ANNA, faces) is None


@given(some, some)
def test_only_approved_faces_are_let_out_of_a_person_and_her_eras(faces: set[str], approved: set[str]) -> None:
    one = judge(Policy(APPROVED), set(), approved)
    for subject in (ANNA, ERA):
        found = one.on(subject, faces)
        assert (found.faces if found else set()) == faces - approved
    other = one.on(BERTA, faces)
    assert (other.faces if other else set()) == faces


def test_an_era_is_withheld_with_its_person() -> None:
    for rule in WAYS[:3]:
        found = judge(Policy(rules=(rule,)), set()).on(ERA, FACES)
        assert found is not None, rule
    near = Judge(Policy(rules=(WAYS[3],)), 0.4, probes={"photo: a.jpg": unit(0.1)}, centroids={ANNA.name: [unit(0)]})
    assert near.on(ERA, FACES) is not None


def test_a_face_of_nobody_is_withheld_by_folder_photo_and_approval() -> None:
    policy = Policy(rules=tuple(WAYS))
    assert judge(policy, {FACES[0]}).on_nobody(FACES[0], unit(1.5)) == "folder: b"
    assert judge(policy, {FACES[0]}).on_nobody(FACES[1], unit(0.2)) == "photo: a.jpg"
    assert judge(policy, {FACES[0]}).on_nobody(FACES[1], unit(1.5)) is None
    assert judge(Policy(APPROVED), set()).on_nobody(FACES[1], unit(1.5)) == "export: approved"


def test_what_a_folder_means() -> None:
    assert lies_in("class 3b/x/1.jpg", "")
    assert lies_in("class 3b/x/1.jpg", "class 3b")
    assert lies_in("class 3b/x/1.jpg", "Class 3B/X/")
    assert lies_in("class 3b/x/1.jpg", "class 3b/*.JPG")
    assert lies_in("class 3b/x/1.jpg", "class*")
    assert lies_in("e\u0301te\u0301/1.jpg", "\u00e9t\u00e9")
    assert not lies_in("class 3b/x/1.jpg", "class 3")
    assert not lies_in("class 3b/x/1.jpg", "x")

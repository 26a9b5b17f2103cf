"""Rulings come before hand-sorted folders."""

import numpy as np

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.hand_sorted import HandSorted, obeying

PEOPLE = HandSorted([], {"Anna": ["a", "b", "c", "d"], "Ben": ["e"]}, {"x": Verdict("outlier", 0.7, 0.5)}, {})


def test_a_folder_loses_what_a_ruling_says_otherwise() -> None:
    people = IgnoredPeople(("r1",), np.zeros((1, 2), np.float32), np.zeros(1, np.int64), np.zeros(1), ("faceset_040",))
    said = Bindings(
        belongs={"a": "faceset_021", "b": "faceset_020", "e": "faceset_022"},
        refused={"c": frozenset({"faceset_020"})},
        ignored={"d": "r1"},
        people=people,
    )
    found = obeying(PEOPLE, said, {"Anna": "faceset_020"})
    assert found.members == {"Anna": ["b"], "Ben": []}
    assert found.verdicts == {
        "x": Verdict("outlier", 0.7, 0.5),
        "a": Verdict("covered", None, None, "faceset_021"),
        "c": Verdict("ruled_out", None, None, "faceset_020"),
        "d": Verdict("ignored", None, None, "faceset_040", "r1"),
        "e": Verdict("covered", None, None, "faceset_022"),
    }


def test_without_rulings_nothing_is_made_anew() -> None:
    assert obeying(PEOPLE, NO_BINDINGS, {"Anna": "faceset_020"}) is PEOPLE

"""What is said of faces, as rows, over several buckets, and as a digest."""

from dataclasses import replace

import numpy as np

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople, united

SAID = Bindings(
    together=(frozenset({"a", "b"}), frozenset({"c", "d", "e"})),
    apart=frozenset({("a", "c"), ("a", "z")}),
    refused={"f": frozenset({"faceset_020"})},
)
PEOPLE = IgnoredPeople(("r1",), np.ones((1, 2), np.float32), np.zeros(1, np.int64), np.array([0.3]))


def test_links_are_rows_of_the_faces_at_hand() -> None:
    links = SAID.links(["e", "c", "a", "x"])
    assert [group.tolist() for group in links.together] == [[0, 1]]
    assert links.apart.tolist() == [[2, 1]]
    assert links.pairs().tolist() == [[0, 2], [1, 2]]
    some = links.among(np.array([True, False, True, True]))
    assert (some.together, some.pairs().tolist()) == ((), [[0, 1]])
    assert not NO_BINDINGS.links(["a"])


def test_the_reach_of_ignored_people_is_no_word_on_a_face() -> None:
    assert Bindings(people=PEOPLE).of_named_faces().digest() is None
    assert replace(SAID, people=PEOPLE).of_named_faces().digest() == SAID.digest() != NO_BINDINGS.digest()
    assert replace(SAID, people=PEOPLE).digest() != SAID.digest()


def test_what_is_said_of_several_buckets_is_said_once() -> None:
    other = Bindings(
        together=(frozenset({"b", "c"}), frozenset({"x", "y"})),
        refused={"f": frozenset({"faceset_021"})},
        belongs={"g": "faceset_020"},
        people=PEOPLE,
    )
    both = united([NO_BINDINGS, replace(SAID, people=PEOPLE), other])
    assert both.together == (frozenset("abcde"), frozenset("xy"))
    assert both.refused == {"f": frozenset({"faceset_020", "faceset_021"})}
    assert both.belongs == {"g": "faceset_020"}
    assert both.people is PEOPLE
    assert united([NO_BINDINGS]) is NO_BINDINGS

"""Contradictions among rulings are found, with the chain that leads to them."""

from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.identities.ruling_closure import Together, contradiction, one_person, two_people
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling
from testing.made_up_rulings import NAMES, face, made_up_base, rulings

A, B, C, D = NAMES[:4]


def pair(kind: str, first: str, second: str, place: int) -> Ruling:
    names = {"a": first, "b": second}
    return Ruling(f"R{place}", kind, "2026-05-03", "t", "cli", (), names, {}, sequence=place)


def test_the_chain_is_told_in_order() -> None:
    found = contradiction([pair("same", A, B, 1), pair("same", B, C, 2), pair("different", C, A, 3)])
    assert found is not None
    assert [one.ruling_id for one in found.rulings()] == ["R2", "R1", "R3"]
    assert (found.apart.first, found.apart.second) == (("person", C), ("person", A))


def test_people_of_other_chains_may_differ() -> None:
    assert contradiction([pair("same", A, B, 1), pair("same", C, D, 2), pair("different", A, D, 3)]) is None


def test_a_face_cannot_be_and_not_be_somebodys() -> None:
    mine = Ruling("R1", "assign", "", "t", "cli", (face("x", "face"),), {STANDS_FOR: A})
    not_mine = Ruling("R2", "not_person", "", "t", "cli", (face("x", "face"),), {STANDS_FOR: B})
    assert contradiction([mine, not_mine]) is None
    assert contradiction([mine, not_mine, pair("same", A, B, 3)]) is not None


def test_parts_of_a_split_cannot_be_one_again() -> None:
    split = Ruling("R1", "split", "", "t", "cli", (face("x", "a"), face("y", "b")), {"a": A})
    together = Ruling("R2", "same", "", "t", "cli", (face("x", "a"), face("y", "b")))
    found = contradiction([split, together])
    assert found is not None
    assert contradiction([split, pair("same", A, B, 2)], {("R1", "b"): B}) is not None


@given(st.data())
def test_drawn_rulings_are_consistent_pair_by_pair(data: st.DataObject) -> None:
    """What `contradiction` lets pass holds no pair that is one person and two people."""
    base = made_up_base([4, 4, 4, 4])
    decided = data.draw(rulings(base, most=12))
    together = Together([link for one in decided for link in one_person(one)])
    for one in decided:
        assert not any(together.are_one(link.first, link.second) for link in two_people(one))


@given(st.data())
def test_taking_one_back_never_makes_a_contradiction(data: st.DataObject) -> None:
    base = made_up_base([4, 4, 4, 4])
    decided = data.draw(rulings(base, most=12))
    for gone in decided:
        assert contradiction([one for one in decided if one is not gone]) is None

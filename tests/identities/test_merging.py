"""Households: merging and taking apart, in any order, gives what the merges that are left alone would have given."""

import itertools
import random

import pytest

from facesets_dagster.identities.merging import Household, Rows, whose


def rows(name: str, *faces: str) -> Rows:
    """Members through the identity's own bucket."""
    return dict.fromkeys(faces, (f"bucket {name}", "founded"))


def start() -> Household:
    members = {
        "A": rows("A", "a1", "a2", "x"),
        "B": rows("B", "b1", "b2", "x"),  # x: the same bytes in several buckets
        "C": rows("C", "c1", "x", "y"),
        "D": rows("D", "d1", "y"),
    }
    return Household(members, ())


def test_the_keeper_gets_everybody_and_its_own_copy_of_a_face_counts() -> None:
    merged = start().merged_into("A", "B")
    assert merged.members["A"] == {
        "a1": ("bucket A", "founded"),
        "a2": ("bucket A", "founded"),
        "b1": ("bucket B", "merged:B"),
        "b2": ("bucket B", "merged:B"),
        "x": ("bucket A", "founded"),
    }
    assert merged.members["B"] == start().members["B"]
    assert merged.leads_to("B") == "A"


def test_a_chain_leads_to_its_end_and_everybody_keeps_their_mark() -> None:
    merged = start().merged_into("A", "B").merged_into("C", "A")
    assert merged.leads_to("B") == "C"
    assert merged.part_of("C") == ["C", "A", "B"]
    marks = {face: whose(how, "C") for face, (_, how) in merged.members["C"].items()}
    assert marks == {"a1": "A", "a2": "A", "b1": "B", "b2": "B", "c1": "C", "x": "C", "y": "C"}


PLANS = [
    [("A", "B"), ("A", "C"), ("A", "D")],
    [("C", "D"), ("B", "C"), ("A", "B")],
    [("A", "B"), ("C", "D"), ("A", "C")],
    [("D", "C"), ("D", "B"), ("A", "D")],
]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_undone_in_any_order_everybody_is_as_before(plan: list[tuple[str, str]], order: tuple[int, ...]) -> None:
    household = start()
    for keeper, name in plan:
        household = household.merged_into(keeper, name)
    for place in order:
        household = household.taken_apart(plan[place][1])
    assert household == start()


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_is_what_the_other_merges_alone_would_have_made(seed: int) -> None:
    rng = random.Random(seed)
    faces = [f"f{number}" for number in range(12)]
    members = {name: rows(name, *rng.sample(faces, 4)) for name in "ABCDEF"}
    household, plan, free = Household(members, ()), [], list("ABCDEF")
    while len(free) > 1 and rng.random() < 0.85:
        keeper, name = rng.sample(free, 2)
        free.remove(name)
        plan.append((keeper, name))
        household = household.merged_into(keeper, name)
    gone = set(rng.sample([name for _, name in plan], rng.randint(0, len(plan))))
    for name in rng.sample(sorted(gone), len(gone)):
        household = household.taken_apart(name)
    alone = Household(members, ())
    left = [(keeper, name) for keeper, name in plan if name not in gone]
    for keeper, name in left:
        alone = alone.merged_into(keeper, name)
    assert household.merges == alone.merges
    assert household.members == alone.members


def test_a_face_that_the_keeper_lost_does_not_come_back() -> None:
    merged = start().merged_into("A", "B")
    left = {face: row for face, row in merged.members["A"].items() if face != "b1"}
    apart = Household({**merged.members, "A": left}, merged.merges).taken_apart("B")
    assert set(apart.members["B"]) == {"b2", "x"}


def test_a_face_that_came_for_a_merged_one_goes_with_it_and_others_stay() -> None:
    merged = start().merged_into("A", "B")
    grown = {
        **merged.members["A"],
        "new": ("bucket Z", "extended"),
        "late": ("people", "merged:B"),
    }
    apart = Household({**merged.members, "A": grown}, merged.merges).taken_apart("B")
    assert apart.members["B"]["late"] == ("people", "hand_sorted")
    assert set(apart.members["A"]) == {"a1", "a2", "x", "new"}

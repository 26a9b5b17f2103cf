"""What answers said is read back from the rulings that they became, and teaches the curve the same again."""

import json

import numpy as np

from facesets_dagster.identities.card_rulings import ruling_of
from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.cards import Card, Side, made
from facesets_dagster.identities.chances import Likeness, Told, started
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.identities.told_answers import payload_of, told_in, told_of_each


def side(name: str) -> Side:
    return Side(key=name, name=name, size=4)


def likeness(distance: float) -> Likeness:
    return Likeness(distance=distance, smaller=4, years=2.5, same_photo=distance > 0.8)


def grid(kind: str = "who_else", *, joined: bool = False) -> Card:
    sides = [side("faceset_001"), *(side(f"faceset_{place:03d}") for place in (2, 3, 4))]
    return made(kind, sides, likenesses=tuple(likeness(0.5 + place / 10) for place in (2, 3, 4)), joined=joined)


def entered(told: list[list[Told]], model_id: str = "m") -> list[Ruling]:
    """As rulings that were read from a registry."""
    payloads = [json.loads(json.dumps(payload_of(some, model_id))) for some in told]
    return [
        Ruling(f"R{place}", "same", "", "t", "ui", payload=one, sequence=place) for place, one in enumerate(payloads, 1)
    ]


def test_each_candidate_of_a_grid_goes_with_its_own_ruling() -> None:
    card, answer = grid(), Answer("picked", (2,))
    told = told_of_each(card, answer, len(ruling_of(card, answer)))
    assert [[(one.likeness.distance, one.same) for one in some] for some in told] == [
        [(0.7, False)], [(0.8, True)], [(0.9, False)],
    ]  # fmt: skip


def test_what_no_ruling_of_its_own_says_goes_with_the_first() -> None:
    card, answer = grid("who_not", joined=True), Answer("picked", (1, 3))
    told = told_of_each(card, answer, len(ruling_of(card, answer)))
    assert [len(some) for some in told] == [3, 0]
    assert [one.same for one in told[0]] == [False, True, False]


def test_the_curve_is_learnt_again_from_the_rulings_in_force() -> None:
    told = [[Told(likeness(0.5 + number / 50), number % 3 > 0)] for number in range(20)]
    learnt = started(0.5)
    for some in told:
        learnt = learnt.learnt(some)
    rulings = entered(told)
    again = started(0.5).learnt(told_in(rulings, "m"))
    assert np.allclose(again.weights, learnt.weights, atol=1e-6)
    undone = started(0.5).learnt(told_in(rulings[:7], "m"))
    assert np.allclose(
        undone.weights, started(0.5).learnt([one for some in told[:7] for one in some]).weights, atol=1e-6
    )


def test_answers_on_another_model_say_nothing() -> None:
    assert told_in([*entered([[Told(likeness(0.6), True)]], "another"), Ruling("R9", "name", "", "t", "ui")], "m") == []

"""Cards: what they are worth, and how the curve behind them learns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.identities.card_values import CardValues
from facesets_dagster.identities.cards import ANSWERS, IMPORTANT, KINDS, made, moved, told_by, valued
from facesets_dagster.identities.chances import Likeness, Told, started
from facesets_dagster.identities.same_photo import is_loose
from facesets_dagster.identities.threshold_offer import photo_limit, threshold_card
from facesets_dagster.linkage import average_merges
from testing.made_up_cards import many_cards, pair, side

START = started(0.55)


def likeness(distance: float, smaller: int = 1) -> Likeness:
    return Likeness(distance=distance, smaller=smaller)


def test_every_kind_has_answers() -> None:
    assert ANSWERS.keys() == KINDS.keys()


def test_a_card_is_worth_the_faces_that_are_expected_to_change_hands_for_each_input() -> None:
    assert moved(3, 1) == pytest.approx(1.5)
    even = START.even_distance()
    card = valued(pair(side("a", 3), side("b", 1), even), START)
    assert card.chance == pytest.approx(0.5)
    assert card.value == pytest.approx(0.5 * 1.5)
    joined = valued(pair(side("a", 3), side("b", 1), even - 0.3, joined=True), START)
    assert joined.value < 0.02
    exported = valued(pair(side("a", 3), side("b", 1), even, weight=IMPORTANT), START)
    assert exported.value == pytest.approx(1.5 * card.value)


def test_a_grid_takes_an_input_and_one_for_each_that_is_picked() -> None:
    even = START.even_distance()
    sides = [side("a", 3), side("b", 1), side("c", 1)]
    grid = valued(made("who_else", sides, likenesses=(likeness(even), likeness(even))), START)
    assert grid.inputs == pytest.approx(2.0)
    assert grid.value == pytest.approx(2 * 0.5 * 1.5 / 2)


@settings(deadline=None)
@given(st.integers(0, 50))
def test_values_of_all_cards_at_once_are_those_of_each(seed: int) -> None:
    cards = many_cards(30, seed)
    chances = START.learnt([Told(likeness(0.7), True), Told(likeness(0.8, 4), False)])
    values = CardValues(cards)
    assert values.of_all(chances) == pytest.approx([valued(card, chances).value for card in cards])
    values.change(3, cards[3])
    values.drop(5)
    again = values.of_all(chances)
    assert again[3] == pytest.approx(valued(cards[3], chances).value)
    assert again[5] == -1


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 1.2), st.booleans()), max_size=30))
def test_chances_stay_probabilities_whatever_was_answered(answers: list[tuple[float, bool]]) -> None:
    chances = START.learnt([Told(likeness(distance), same) for distance, same in answers])
    found = chances.same([likeness(distance) for distance in np.linspace(0, 2, 21)])
    assert ((found > 0) & (found < 1)).all()
    assert np.isfinite(chances.even_distance())


def test_answers_move_the_even_distance_to_where_they_change() -> None:
    distances = np.linspace(0.6, 0.9, 40)
    chances = START.learnt([Told(likeness(float(one)), bool(one < 0.76)) for one in distances])
    assert chances.even_distance() == pytest.approx(0.76, abs=0.03)
    near, far = chances.same([likeness(0.7), likeness(0.82)])
    assert near > 0.8
    assert far < 0.2


def test_a_shared_photo_speaks_against_and_a_near_copy_for_one_person() -> None:
    together = Likeness(distance=0.5, smaller=1, same_photo=True)
    copy = Likeness(distance=0.01, smaller=1, same_photo=True)
    old, new = Likeness(distance=0.63, smaller=1, years=20), Likeness(distance=0.63, smaller=1, years=0)
    found = START.same([together, copy, old, new])
    assert found[0] < 0.4
    assert found[1] > 0.99
    assert found[2] > found[3]


def test_another_threshold_is_offered_after_twelve_answers_and_only_if_they_gain() -> None:
    right = [Told(likeness(float(one)), bool(one < 0.74)) for one in np.linspace(0.56, 0.9, 24)]
    assert threshold_card(START.learnt(right[:11]), 0.55, 2.0) is None
    card = threshold_card(START.learnt(right), 0.55, 2.0)
    assert card is not None
    assert card.numbers["new"] == pytest.approx(0.74, abs=0.04)
    assert card.numbers["gain"] > card.numbers["harm"]
    assert threshold_card(START.learnt(right), card.numbers["new"], 2.0) is None
    assert threshold_card(START.learnt(right), 0.55, 2.0, offered_at=20) is None


def test_no_threshold_is_offered_beyond_what_photos_allow() -> None:
    chances = START.learnt([Told(likeness(float(one)), True) for one in np.linspace(0.56, 0.9, 24)])
    card = threshold_card(chances, 0.55, 0.64)
    assert card is not None
    assert card.numbers["new"] <= 0.64
    assert threshold_card(chances, 0.55, 0.57) is None


@settings(deadline=None)
@given(st.integers(0, 200))
def test_at_the_photo_limit_photos_allow_the_distance_and_beyond_it_they_do_not(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    rows, photos = numbers.standard_normal((40, 4)).astype(np.float32), np.repeat(np.arange(20), 2)
    pairs = np.arange(40).reshape(20, 2)
    merges, cut = average_merges(rows, 1.2), 0.1
    limit = photo_limit(merges, pairs, photos, cut)

    def loose(at: float) -> bool:
        labels = merges.labels_at(at)
        return is_loose(int((labels[pairs[:, 0]] == labels[pairs[:, 1]]).sum()), 20)

    assert limit >= cut
    assert not loose(limit) or limit == cut
    if cut < limit < merges.distance_threshold:
        assert loose(limit + 1e-9)


def test_a_threshold_that_mixes_photos_already_is_its_own_limit() -> None:
    rows = np.ones((20, 3), np.float32)
    pairs = np.arange(20).reshape(10, 2)
    assert photo_limit(average_merges(rows, 1.0), pairs, np.repeat(np.arange(10), 2), 0.5) == 0.5


def test_what_an_answer_says_of_each_likeness() -> None:
    sides = [side(name) for name in "abc"]
    grid = made("who_else", sides, likenesses=(likeness(0.6), likeness(0.7)))
    assert [same for _, same in told_by(grid, "picked", [2])] == [False, True]
    doubtful = made("who_not", sides, likenesses=(likeness(0.6), likeness(0.7)), joined=True)
    assert [same for _, same in told_by(doubtful, "picked", [2])] == [True, False]
    assert told_by(grid, "not_sure") == []


def test_other_exemplars_are_shown_the_second_time() -> None:
    card = pair(side("a", 10), side("b", 2))
    again = pair(side("a", 10), side("b", 2), again=1)
    assert len(card.shown(0)) == len(again.shown(0)) == 6
    assert set(card.shown(0)) != set(again.shown(0))
    assert again.shown(1) == card.shown(1)

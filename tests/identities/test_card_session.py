"""A session at the cards: order, what follows from answers, second thoughts, known cards."""

import time

import pytest

from facesets_dagster.identities.card_session import EVERY_KNOWN, IN_A_ROW, Answer, CardSession
from facesets_dagster.identities.cards import Card, made, valued
from facesets_dagster.identities.chances import Likeness, started
from testing.made_up_cards import many_cards, pair, side

START = started(0.55)
EVEN = START.even_distance()
NEAR = EVEN - 0.1
"""Likely one person, so that a slip is not expected."""


def session_of(*cards: Card, known: tuple[Card, ...] = ()) -> CardSession:
    return CardSession(cards, START, known)


def left(session: CardSession) -> set[str]:
    found = set[str]()
    while (card := session.next(leave_out=found)) is not None:
        found.add(card.card_id)
    return found


def test_what_is_worth_most_comes_first() -> None:
    few, many = pair(side("a", 2), side("b", 2), EVEN), pair(side("c", 9), side("d", 9), EVEN)
    session = session_of(few, many)
    first = session.next()
    assert first is not None
    assert first.card_id == many.card_id
    assert session.next(kinds={"who_else"}) is None


def test_an_answer_decides_what_follows_from_it() -> None:
    ab, (bc, ac, ad) = pair("a", "b", NEAR), (pair(one, other, EVEN) for one, other in ("bc", "ac", "ad"))
    session = session_of(ab, bc, ac, ad)
    session.answer(bc, Answer("different"))
    session.answer(ab, Answer("same"))
    assert left(session) == {ad.card_id}
    card = session.next()
    assert card is not None
    assert {one.size for one in card.sides} == {8, 4}


def test_two_questions_on_one_pair_of_people_become_one() -> None:
    ab, ac, bc = pair("a", "b", NEAR), pair("a", "c", EVEN - 0.02), pair("b", "c", EVEN + 0.04)
    session = session_of(ab, ac, bc)
    session.answer(ab, Answer("same"))
    (kept,) = left(session)
    card = session.next()
    assert card is not None
    assert card.card_id == kept
    assert card.likenesses[0].distance == pytest.approx(EVEN + 0.01)


def test_a_surprising_answer_is_asked_once_more_and_a_third_decides() -> None:
    far = pair(side("a", 14), side("b", 14), EVEN + 0.3)
    session = session_of(far)
    first = session.answer(far, Answer("same"))
    assert first.decided == ()
    again = session.next()
    assert again is not None
    assert again.again == 1
    assert set(again.shown(0)) != set(far.shown(0))
    second = session.answer(again, Answer("different"))
    assert second.decided == ()
    third = session.next()
    assert third is not None
    assert third.again == 2
    decided = session.answer(third, Answer("different")).decided
    assert [answer.word for _, answer in decided] == ["different"]
    assert session.people.are_two("a", "b")
    assert session.next() is None


def test_an_answer_that_moves_many_faces_is_asked_once_more_if_a_slip_is_not_unlikely() -> None:
    few, many = (pair(side(f"{size}a", size), side(f"{size}b", size), EVEN) for size in (2, 20))
    session = session_of(few, many)
    assert session.answer(few, Answer("same")).decided
    assert session.answer(many, Answer("same")).again
    even = pair(side("c", 20), side("d", 20), EVEN)
    assert session_of(even).answer(even, Answer("different")).decided


def test_a_surprising_answer_that_is_repeated_holds() -> None:
    far = pair("a", "b", EVEN + 0.3)
    session = session_of(far)
    session.answer(far, Answer("same"))
    again = session.next()
    assert again is not None
    assert session.answer(again, Answer("same")).decided[0][1] == Answer("same")
    assert session.people.are_one("a", "b")


def test_of_a_grid_only_what_surprises_is_asked_once_more() -> None:
    sides = [side(name) for name in "abc"]
    likenesses = tuple(Likeness(distance=one, smaller=4) for one in (NEAR, EVEN + 0.3))
    grid = made("who_else", sides, likenesses=likenesses)
    session = session_of(grid)
    outcome = session.answer(grid, Answer("picked", (1, 2)))
    ((rest, answer),) = outcome.decided
    assert [one.key for one in rest.sides] == ["a", "b"]
    assert answer == Answer("picked", (1,))
    assert session.people.are_one("a", "b")
    assert not session.people.are_one("a", "c")
    (single,) = outcome.again
    assert session.next() == valued(single, session.chances)


def test_no_person_is_asked_about_more_than_three_times_in_a_row() -> None:
    cards = [pair(side("a", 50), side(f"b{number}", 20), EVEN) for number in range(6)] + [pair("c", "d", EVEN + 0.1)]
    session, asked = session_of(*cards), list[Card]()
    while (card := session.next()) is not None:
        asked.append(card)
        session.answer(card, Answer("different"))
    place = [card.card_id for card in asked].index(cards[-1].card_id)
    assert place == IN_A_ROW


def test_every_twentieth_card_is_a_known_one_and_counts_errors() -> None:
    known = tuple(pair(f"k{number}", f"l{number}") for number in range(2))
    known = tuple(made("known", one.sides, likenesses=one.likenesses, truth=True) for one in known)
    session = session_of(*many_cards(200), known=known)
    kinds = []
    for _ in range(2 * EVERY_KNOWN):
        card = session.next()
        assert card is not None
        kinds.append(card.kind)
        word = "different" if card.kind == "known" and kinds.count("known") == 2 else "not_sure"
        session.answer(card, Answer("same" if card.kind == "known" and word == "not_sure" else word))
    assert [place for place, kind in enumerate(kinds) if kind == "known"] == [EVERY_KNOWN - 1, 2 * EVERY_KNOWN - 1]
    assert session.error_rate() == pytest.approx(0.5)


def test_not_sure_puts_a_card_off() -> None:
    better, other = pair(side("a", 5), side("b", 5), EVEN), pair("c", "d", EVEN)
    session = session_of(better, other)
    session.answer(better, Answer("not_sure"))
    card = session.next()
    assert card is not None
    assert card.card_id == other.card_id
    assert len(session) == 2


def test_a_face_that_leaves_a_person_makes_it_smaller() -> None:
    piece = side("piece", 1, name="a", piece=True)
    inside = pair(side("a", 9), piece, EVEN + 0.1, joined=True)
    session = CardSession([inside, pair(side("a", 10), side("b", 10), EVEN)], START)
    session.answer(inside, Answer("different"))
    card = session.next()
    assert card is not None
    assert sorted(one.size for one in card.sides) == [9, 10]


def test_a_word_that_answers_no_such_card_is_refused() -> None:
    card = pair("a", "b")
    with pytest.raises(ValueError, match="answers no card of kind pair"):
        session_of(card).answer(card, Answer("picked"))


def test_an_answer_looks_only_at_the_cards_that_it_touches() -> None:
    cards = many_cards(2_000)
    session = CardSession(cards, START)

    def seconds_of_an_answer() -> float:
        while True:
            asked = session.next(kinds={"pair"})
            assert asked is not None
            expected = Answer("same" if asked.chances[0] > 0.5 else "different")
            began = time.perf_counter()
            if session.answer(asked, expected).decided:
                return time.perf_counter() - began

    def seconds_of_all() -> float:
        began = time.perf_counter()
        for one in cards:
            valued(one, session.chances)
        return time.perf_counter() - began

    seconds_of_an_answer()
    assert 0 < session.touched <= 60
    assert min(seconds_of_an_answer() for _ in range(9)) < min(seconds_of_all() for _ in range(3)) / 4

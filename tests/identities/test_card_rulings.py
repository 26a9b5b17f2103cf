"""What answers rule, kind by kind."""

import pytest

from facesets_dagster.identities.card_rulings import Statement, Subject, ruling_of
from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.cards import ANSWERS, Card, Side, made
from facesets_dagster.identities.chances import Likeness
from testing.made_up_cards import pair, side

ANNA, BEN = side("anna"), side("ben")
FREE = Side(key="face:x", size=2, face_ids=("x", "y"))
PIECE = Side(key="face:p", name="anna", piece=True, size=1, face_ids=("p",))
OTHER = Side(key="face:q", name="anna", piece=True, size=1, face_ids=("q",))
LIKE = Likeness(distance=0.7, smaller=1)
CARDS = {
    "pair": pair(ANNA, BEN),
    "who_else": made("who_else", (ANNA, BEN, FREE), likenesses=(LIKE, LIKE)),
    "who_not": made("who_not", (ANNA, PIECE, OTHER), likenesses=(LIKE, LIKE), joined=True),
    "approve": made("approve", (ANNA,), fixed=0.1),
    "ignore_strangers": made("ignore_strangers", (FREE, BEN), fixed=0.1),
    "impossible_pair": made("impossible_pair", (ANNA, PIECE, OTHER), likenesses=(LIKE, LIKE), fixed=0.5),
    "look_alikes": made("look_alikes", (PIECE, ANNA, BEN), likenesses=(LIKE, LIKE)),
    "threshold": Card(card_id="threshold:0.7", kind="threshold", sides=(), numbers={"old": 0.55, "new": 0.7}),
    "known": made("known", (ANNA, BEN), likenesses=(LIKE,), truth=False),
}


def said(card: Card, word: str, *picked: int) -> list[tuple[str, tuple[Subject, ...]]]:
    return [(one.kind, one.subjects) for one in ruling_of(card, Answer(word, picked))]


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_word_rules_something_but_for_those_that_leave_things_as_they_are(kind: str) -> None:
    silent = {word for word in ANSWERS[kind] if not ruling_of(CARDS[kind], Answer(word, (1,)))}
    assert silent == {"known": {"same", "different", "not_sure"}, "threshold": {"keep"}}.get(kind, {"not_sure"})


def test_two_people_are_one_or_two() -> None:
    assert said(CARDS["pair"], "same") == [("same", ("anna", "ben"))]
    assert said(CARDS["pair"], "different") == [("different", ("anna", "ben"))]


def test_faces_that_are_nobodys_come_to_a_person_or_never_do() -> None:
    card = pair(FREE, BEN)
    assert said(card, "same") == [("assign", (("x", "y"), "ben"))]
    assert said(card, "different") == [("different", (("x", "y"), "ben"))]
    assert said(pair(FREE, Side(key="face:z", size=1, face_ids=("z",))), "same") == [("same", (("x", "y"), ("z",)))]


def test_a_piece_of_a_person_stays_or_goes() -> None:
    card = pair(ANNA, PIECE, joined=True)
    assert said(card, "same") == [("assign", (("p",), "anna"))]
    assert said(card, "different") == [("not_person", (("p",), "anna"))]


def test_grids_rule_on_each_that_was_shown_or_picked() -> None:
    assert said(CARDS["who_else"], "picked", 2) == [("different", ("anna", "ben")), ("assign", (("x", "y"), "anna"))]
    assert said(CARDS["who_not"], "picked", 2) == [("not_person", (("q",), "anna"))]


def test_one_face_of_two_in_a_photo_is_the_person() -> None:
    card = CARDS["impossible_pair"]
    assert said(card, "first") == [("not_person", (("q",), "anna"))]
    assert said(card, "second") == [("not_person", (("p",), "anna"))]
    assert said(card, "neither") == [("not_person", (("p", "q"), "anna"))]
    assert said(card, "both") == [("allow_together", (("p", "q"),))]


def test_a_face_between_two_people_goes_to_one_or_to_neither() -> None:
    card = CARDS["look_alikes"]
    assert said(card, "first") == [("assign", (("p",), "anna"))]
    assert said(card, "second") == [("assign", (("p",), "ben"))]
    assert said(card, "neither") == [("not_person", (("p",), "anna")), ("different", ("ben", ("p",)))]


def test_strangers_are_ignored_one_by_one_but_for_those_that_are_picked() -> None:
    card = CARDS["ignore_strangers"]
    assert said(card, "ignore") == [("ignore", (("x", "y"),)), ("ignore", ("ben",))]
    assert said(card, "ignore", 0) == [("ignore", ("ben",))]


def test_a_threshold_carries_its_evidence() -> None:
    assert ruling_of(CARDS["threshold"], Answer("take")) == (Statement("threshold", numbers={"old": 0.55, "new": 0.7}),)

"""What an answer to a card rules: kinds, names and faces, as `publishing.rulings.requests` takes them. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.cards import NOT_SURE, Card, Side

Subject = str | tuple[str, ...]
"""A face set's name, or face_ids."""


@dataclass(frozen=True)
class Statement:
    """One ruling to be made."""

    kind: str
    """A key of `rulings.KINDS`."""
    subjects: tuple[Subject, ...] = ()
    """Of `same` and `different`: both sides. Of `assign` and `not_person`: the faces, then the person. Of `ignore` and
    `approve`: the person, or faces. Of `allow_together`: faces."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Of `threshold`."""


def ruling_of(card: Card, answer: Answer) -> tuple[Statement, ...]:
    """What an answer rules: nothing if the person is not sure, several things if a grid was answered."""
    rules = _RULES.get(card.kind)
    return rules(card, answer) if rules and answer.word != NOT_SURE else ()


def _of_pair(card: Card, answer: Answer) -> tuple[Statement, ...]:
    return (_on_two(card.sides[0], card.sides[1], card.joined, same=answer.word == "same"),)


def _of_who_else(card: Card, answer: Answer) -> tuple[Statement, ...]:
    first = card.sides[0]
    return tuple(
        _on_two(first, side, False, same=place in answer.picked) for place, side in enumerate(card.sides[1:], start=1)
    )


def _of_who_not(card: Card, answer: Answer) -> tuple[Statement, ...]:
    """Those that were picked leave; of the others nothing is said that a run does not know."""
    first = card.sides[0]
    return tuple(_on_two(first, card.sides[place], True, same=False) for place in answer.picked)


def _on_two(first: Side, second: Side, joined: bool, *, same: bool) -> Statement:
    """A piece of a person stays or goes; faces that are nobody's come to a person; two people are one or two."""
    if joined:
        return Statement("assign" if same else "not_person", (second.face_ids, _name(first)))
    one, other = _subject(first), _subject(second)
    if same and isinstance(one, str) != isinstance(other, str):
        faces, person = (one, other) if isinstance(other, str) else (other, one)
        return Statement("assign", (faces, person))
    return Statement("same" if same else "different", (one, other))


def _of_impossible_pair(card: Card, answer: Answer) -> tuple[Statement, ...]:
    """`first`, `second`: which of the two faces is the person's."""
    person, one, other = card.sides
    if answer.word == "both":
        return (Statement("allow_together", ((*one.face_ids, *other.face_ids),)),)
    gone = {"first": other.face_ids, "second": one.face_ids, "neither": (*one.face_ids, *other.face_ids)}[answer.word]
    return (Statement("not_person", (gone, _name(person))),)


def _of_look_alikes(card: Card, answer: Answer) -> tuple[Statement, ...]:
    """`first`, `second`: which of the two people the face is; the first one has it."""
    face, owner, other = card.sides
    if answer.word == "neither":
        never = Statement("different", (_name(other), face.face_ids))
        return (Statement("not_person", (face.face_ids, _name(owner))), never)
    person = owner if answer.word == "first" else other
    return (Statement("assign", (face.face_ids, _name(person))),)


def _of_strangers(card: Card, answer: Answer) -> tuple[Statement, ...]:
    """One for each, so that nobody reaches as far as all of them together; those that were picked stay."""
    return tuple(
        Statement("ignore", (_subject(side),)) for place, side in enumerate(card.sides) if place not in answer.picked
    )


def _of_approve(card: Card, answer: Answer) -> tuple[Statement, ...]:
    return (Statement("approve", (_name(card.sides[0]),)),)


def _of_threshold(card: Card, answer: Answer) -> tuple[Statement, ...]:
    return (Statement("threshold", numbers=card.numbers),) if answer.word == "take" else ()


def _name(side: Side) -> str:
    assert side.name is not None, f"{side.key} has no name"
    return side.name


def _subject(side: Side) -> Subject:
    return side.name if side.name is not None and not side.piece else side.face_ids


_RULES: Mapping[str, Callable[[Card, Answer], tuple[Statement, ...]]] = {
    "pair": _of_pair,
    "who_else": _of_who_else,
    "who_not": _of_who_not,
    "impossible_pair": _of_impossible_pair,
    "look_alikes": _of_look_alikes,
    "ignore_strangers": _of_strangers,
    "approve": _of_approve,
    "threshold": _of_threshold,
}

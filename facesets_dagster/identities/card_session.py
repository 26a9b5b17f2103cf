"""A sitting at the cards: which comes next, what an answer decides, and what it changes of the other cards. Pure.

An answer that was hardly expected, or would move so many faces that a slip costs more than a second look, is asked once
more with other exemplars; if the two differ, a third decides. What is decided moves the curve by which all cards are
valued, in one product; the sides of a card are looked at again only if the answer is about one of them.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facesets_dagster.identities.asked_again import asked_once_more
from facesets_dagster.identities.card_people import CardPeople
from facesets_dagster.identities.card_values import CardValues
from facesets_dagster.identities.cards import ANSWERS, NOT_SURE, PUT_OFF, Card, made, told_by, valued
from facesets_dagster.identities.chances import Chances, Likeness, Told
from facesets_dagster.identities.touched_cards import as_they_are, one_of_two

IN_A_ROW = 3
"""Cards about one person, one after the other, at most."""
EVERY_KNOWN = 20


@dataclass(frozen=True)
class Answer:
    """What was said of a card."""

    word: str
    """One of `ANSWERS` of its kind."""
    picked: tuple[int, ...] = ()
    """Places of sides."""


@dataclass(frozen=True)
class Outcome:
    """What an answer came to."""

    decided: tuple[tuple[Card, Answer], ...]
    """What holds now, for `card_rulings.ruling_of`: nothing if it is asked again, a grid without what is."""
    again: tuple[Card, ...] = ()
    """What is asked once more, next."""


class CardSession:
    """Cards in the order of their value, and the answers to them."""

    def __init__(self, cards: Sequence[Card], chances: Chances, known: Sequence[Card] = ()) -> None:
        """`known`: cards of that kind, drawn one in `EVERY_KNOWN`, in their order."""
        self.chances = chances
        self.asked = self.known_right = self.known_wrong = 0
        self._cards: list[Card | None] = [card for card in cards if card.kind != "known"]
        listed = [card for card in self._cards if card is not None]
        self._place = {card.card_id: place for place, card in enumerate(listed)}
        self._values, self._known, self._next = CardValues(listed), deque(known), deque[Card]()
        self._order = self._values.of_all(chances)
        sides = [(side.key, side.size) for card in listed for side in card.sides]
        self.people, self._with = CardPeople(sides), defaultdict[str, set[int]](set)
        for place, card in enumerate(listed):
            for side in card.sides:
                self._with[side.key].add(place)
        self._last: deque[frozenset[str]] = deque(maxlen=IN_A_ROW)
        self._votes: dict[str, list[bool]] = defaultdict(list)
        self.touched = 0
        """Cards whose sides were looked at for answers."""

    def __len__(self) -> int:
        return sum(card is not None for card in self._cards) + len(self._next)

    def go_on_from(self, before: "CardSession") -> None:
        """How much was asked, and how known cards were answered, in a session with other cards before this one."""
        self.asked, self._known = before.asked, before._known
        self.known_right, self.known_wrong = before.known_right, before.known_wrong

    def next(self, kinds: Collection[str] | None = None, leave_out: Collection[str] = ()) -> Card | None:
        """The card to ask, None if there is none; it stays until it is answered.

        `kinds`: only these; `leave_out`: ids of cards that others have before them.
        """
        self._next = deque(card for card in self._next if self._is_open(card))
        waiting = next((card for card in self._next if card.card_id not in leave_out), None)
        if waiting is not None:
            return valued(waiting, self.chances) if waiting.likenesses else waiting
        if self._known and self.asked % EVERY_KNOWN == EVERY_KNOWN - 1:
            return valued(self._known[0], self.chances)
        tired = frozenset.intersection(*self._last) if len(self._last) == IN_A_ROW else frozenset()
        first: Card | None = None
        for place in np.argsort(-self._order, kind="stable").tolist():
            card = self._cards[place]
            if card is None or card.card_id in leave_out or (kinds is not None and card.kind not in kinds):
                continue
            if not self._people_of(card) & tired:
                return valued(card, self.chances)
            first = first or card
        return first and valued(first, self.chances)

    def offer(self, card: Card) -> None:
        """Puts a card of another origin, such as `threshold`, before all others."""
        self._next.append(card)

    def answer(self, card: Card, answer: Answer) -> Outcome:
        """Takes an answer. Raises `ValueError` for a word that does not answer such a card."""
        if answer.word not in ANSWERS[card.kind]:
            raise ValueError(f"{answer.word!r} answers no card of kind {card.kind}; {ANSWERS[card.kind]} do.")
        self.asked += 1
        self._last.append(self._people_of(card))
        self._next = deque(one for one in self._next if one.card_id != card.card_id)
        if card.kind == "known":
            return self._checked(card, answer)
        if answer.word == NOT_SURE:
            self._put_off(card)
            return Outcome(())
        told = told_by(card, answer.word, answer.picked)
        surprising = asked_once_more(card, told, self.chances, (self.known_right, self.known_wrong))
        if not surprising:
            return self._decide(card, answer, told)
        if card.kind in ("who_else", "who_not"):
            return self._without(card, answer, told, surprising)
        return self._once_more(card, told[0][1])

    def error_rate(self) -> float | None:
        """Share of known cards that were answered wrongly; None before the first."""
        count = self.known_right + self.known_wrong
        return self.known_wrong / count if count else None

    def _checked(self, card: Card, answer: Answer) -> Outcome:
        self._known.popleft()
        if answer.word != NOT_SURE:
            right = (answer.word == "same") == card.truth
            self.known_right, self.known_wrong = self.known_right + right, self.known_wrong + (not right)
        return Outcome(())

    def _once_more(self, card: Card, said: bool) -> Outcome:
        self._votes[card.card_id].append(said)
        again = replace(card, again=card.again + 1)
        self._next.appendleft(again)
        return Outcome((), (again,))

    def _without(
        self, card: Card, answer: Answer, told: Sequence[tuple[Likeness, bool]], surprising: Sequence[int]
    ) -> Outcome:
        """A grid but for the candidates whose answer is asked once more, each by itself."""
        again = []
        for place in surprising:
            both = (card.sides[0], card.sides[place + 1])
            single = made("pair", both, likenesses=(card.likenesses[place],), joined=card.joined, again=1)
            self._votes[single.card_id].append(told[place][1])
            self._next.append(single)
            again.append(single)
        kept = [place for place in range(len(told)) if place not in surprising]
        sides = (card.sides[0], *(card.sides[place + 1] for place in kept))
        picked = tuple(new for new, place in enumerate(kept, start=1) if place + 1 in answer.picked)
        rest = replace(card, sides=sides, likenesses=tuple(card.likenesses[place] for place in kept))
        found = self._decide(rest, replace(answer, picked=picked), [told[place] for place in kept])
        return replace(found, again=tuple(again))

    def _decide(self, card: Card, answer: Answer, told: Sequence[tuple[Likeness, bool]]) -> Outcome:
        votes = self._votes.get(card.card_id)
        if votes and card.kind == "pair":
            votes.append(told[0][1])
            if len(votes) == 2 and votes[0] != votes[1]:
                again = replace(card, again=card.again + 1)
                self._next.appendleft(again)
                return Outcome((), (again,))
            same = votes.count(True) > votes.count(False)
            answer, told = Answer("same" if same else "different"), [(card.likenesses[0], same)]
        self.chances = self.chances.learnt([Told(likeness, same) for likeness, same in told])
        self._drop(card.card_id)
        self._take(card, answer, told)
        self._order = self._values.of_all(self.chances)
        return Outcome(((card, answer),))

    def _take(self, card: Card, answer: Answer, told: Sequence[tuple[Likeness, bool]]) -> None:
        """What is decided, for the sides of this card and then for the cards that are about one of them."""
        if card.kind == "look_alikes":
            self._take_face(card, answer)
        elif card.kind == "ignore_strangers":
            for place, side in enumerate(card.sides):
                if place not in answer.picked:
                    self._drop_all(side.key)
        for (_, same), side in zip(told, card.sides[1:], strict=False) if card.kind != "look_alikes" else ():
            first = card.sides[0].key
            if same and not card.joined:
                self.people.join(first, side.key)
            elif not same:
                if card.joined:
                    self.people.leave(first, side.size)
                self.people.part(first, side.key)
        for key in {side.key for side in card.sides}:
            self._touch(key)

    def _take_face(self, card: Card, answer: Answer) -> None:
        """A face between two people."""
        face, *people = (side.key for side in card.sides)
        if answer.word != "first":
            self.people.leave(people[0], 1)
        for key, word in zip(people, ("first", "second"), strict=True):
            if answer.word != word:
                self.people.part(face, key)

    def _touch(self, key: str) -> None:
        """Looks again at the cards that are about a side, or about one that it is one with now."""
        places = sorted({place for one in self.people.keys(key) for place in self._with[one]})
        found: dict[int, Card] = {}
        pairs: dict[frozenset[str], int] = {}
        for place in places:
            card = self._cards[place]
            if card is None:
                continue
            self.touched += 1
            first = place
            if card.kind == "pair" and not card.joined:
                first = pairs.setdefault(self._people_of(card), place)
            if first != place:
                self._drop(card.card_id)
            found[first] = one_of_two(found[first], card) if first in found else card
        for place, card in found.items():
            now = as_they_are(card, self.people)
            if now is None:
                self._drop(card.card_id)
            else:
                self._cards[place] = now
                self._values.change(place, now)

    def _put_off(self, card: Card) -> None:
        place = self._place.get(card.card_id)
        listed = self._cards[place] if place is not None else None
        if place is None or listed is None:
            return
        self._cards[place] = later = replace(listed, weight=listed.weight * PUT_OFF)
        self._values.change(place, later)
        self._order = self._values.of_all(self.chances)

    def _drop_all(self, key: str) -> None:
        for place in sorted(self._with[key]):
            card = self._cards[place]
            if card is not None and card.kind == "pair":
                self._drop(card.card_id)

    def _drop(self, card_id: str) -> None:
        place = self._place.get(card_id)
        if place is not None and self._cards[place] is not None:
            self._cards[place] = None
            self._values.drop(place)

    def _people_of(self, card: Card) -> frozenset[str]:
        return frozenset(self.people.group(side.key) for side in card.sides)

    def _is_open(self, card: Card) -> bool:
        """Whether a card that waits is still a question."""
        return not card.likenesses or as_they_are(card, self.people) is not None

"""Workflows of a made-up sitting, each with the inputs that its program documents.

One click, tap or key is one input, a typed name too; looking and scrolling are free.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.review_home import Groups, Rows, Track, User, key_of
from facesets_dagster.identities.card_session import Answer, CardSession
from facesets_dagster.identities.cards import MOST_CANDIDATES, NOT_SURE, PUT_OFF, Card, Side, made
from facesets_dagster.identities.chances import Chances, Likeness, Told, rows_of
from facesets_dagster.identities.threshold_offer import threshold_card

ROUND = 8
"""Answers between two runs."""
_CARDS = 400
_SHARP_AT = 60.0
_SHOWN = 24
"""Others on a merge page."""
_A_TURN = 5


class Answers:
    """What a user says."""

    def __init__(self, user: User) -> None:
        self._user, self._numbers = user, np.random.default_rng(user.seed)

    def on(self, same: bool) -> str:
        """Of a pair that is one person or two."""
        draw = self._numbers.random()
        if draw < self._user.unsure:
            return NOT_SURE
        return "same" if same != (self._numbers.random() < self._user.wrong) else "different"

    def among(self, shown: Sequence[Rows], same: Sequence[bool]) -> list[Rows]:
        """Of a page: each one of the same person is missed as often as a card is answered wrongly, and as often one
        other is picked; not each of the many that are looked at.
        """
        picked = [one for one, is_same in zip(shown, same, strict=True) if is_same and self.on(True) == "same"]
        others = [one for one, is_same in zip(shown, same, strict=True) if not is_same]
        return [*picked, others[0]] if others and self._numbers.random() < self._user.wrong else picked

    def to(self, card: Card, table: "_Cards") -> Answer:
        """Of a card: each candidate of a grid is an answer of its own."""
        if card.kind == "pair":
            return Answer(self.on(table.truth(card)))
        if self._numbers.random() < self._user.unsure:
            return Answer(NOT_SURE)
        slips = self._numbers.random(len(card.sides) - 1) < self._user.wrong
        same = table.truths(card)
        return Answer("picked", tuple(place for place, one in enumerate(same, start=1) if one != slips[place - 1]))


def one_by_one(groups: Groups, user: User, most: int) -> Track:
    """Click a group, type its name, Enter; the largest first. Groups of one name are one person."""
    track, answers, inputs, named = Track(), Answers(user), 0, dict[int, Rows]()
    track.note(0, groups)
    members = groups.members()
    people = [groups.person(rows) for rows in members]
    for rows, person in zip(members, people, strict=True):
        word = answers.on(True)
        inputs += 1 if word == NOT_SURE else 3
        if word == NOT_SURE:
            continue
        said = person if word == "same" else people[inputs % len(people)]
        if said in named:
            groups.say(named[said], rows, same=True)
            track.note(inputs, groups, right=said == person)
        named.setdefault(said, rows)
        if inputs > most:
            break
    return track


def merge_page(groups: Groups, user: User, most: int) -> Track:
    """Menu, Merge: the others by similarity; pick those of the same person, Merge, confirm; at most five a turn."""
    track, answers, inputs = Track(), Answers(user), 0
    track.note(0, groups)
    done: set[int] = set()
    while inputs <= most:
        members = groups.members()
        rows = next((one for one in members if int(one.min()) not in done), None)
        if rows is None:
            break
        done.add(int(rows.min()))
        means = np.array([groups.unit[one].mean(axis=0, dtype=np.float64) for one in members])
        order = np.argsort(1 - means @ groups.unit[rows].mean(axis=0, dtype=np.float64), kind="stable")
        near = [members[place] for place in order if members[place][0] != rows[0]][:_SHOWN]
        person = groups.person(rows)
        picked = answers.among(near, [groups.person(one) == person for one in near])
        inputs += 2 + len(picked) + 2 * -(-len(picked) // _A_TURN)
        for one in picked:
            groups.say(rows, one, same=True)
        track.note(inputs, groups, right=all(groups.person(one) == person for one in picked))
    return track


Order = Callable[[Chances, Sequence[Card]], list[Card]]


def similar_first(chances: Chances, cards: Sequence[Card]) -> list[Card]:
    """The nearest pair first."""
    return sorted(cards, key=lambda card: card.likenesses[0].distance)


def uncertain_first(chances: Chances, cards: Sequence[Card]) -> list[Card]:
    """The pair that is as likely one person as two first."""
    same = chances.same([card.likenesses[0] for card in cards])
    return [cards[place] for place in np.argsort(np.abs(same - 0.5), kind="stable").tolist()]


def cards_in(order: Order, groups: Groups, user: User, most: int, chances: Chances) -> Track:
    """ "Same person?" cards, one input each, at a fixed threshold; a run after each round."""
    track, answers, inputs, unsure = Track(), Answers(user), 0, set[str]()
    track.note(0, groups)
    while inputs < most:
        table = _Cards(groups, chances, {})
        asked = [card for card in order(chances, table.cards) if not card.joined and card.card_id not in unsure]
        session = CardSession(asked, chances)
        all_right, count = True, 0
        for card in asked:
            if count == ROUND or session.people.are_one(*(side.key for side in card.sides)):
                continue
            truth = table.truth(card)
            word, count, inputs = answers.on(truth), count + 1, inputs + 1
            if word == NOT_SURE:
                unsure.add(card.card_id)
                continue
            right = (word == "same") == truth
            all_right &= right
            track.wrong += not right
            table.obey(card, same=word == "same")
            session.people.join(*(side.key for side in card.sides)) if word == "same" else None
            chances = chances.learnt([Told(card.likenesses[0], word == "same")])
            track.note(inputs, groups, right=right)
        if not count:
            break
        groups.grow()
        track.note(inputs, groups, right=all_right)
    return track


def ours(groups: Groups, user: User, most: int, chances: Chances, limit: float) -> Track:
    """The platform's session: pairs and grids by value, surprises asked once more, the threshold offered and taken.

    `limit`: beyond which no threshold is offered.
    """
    track, answers, inputs, offered = Track(), Answers(user), 0, 0
    put_off = dict[str, float]()
    track.note(0, groups)
    while inputs < most:
        table = _Cards(groups, chances, put_off, grids=True)
        session, all_right, moved = CardSession(table.cards, chances), True, False
        for count in range(10 * ROUND):
            card = session.next()
            if card is None or (count >= ROUND and not card.again):
                break
            answer = answers.to(card, table)
            inputs += 1 + len(answer.picked)
            outcome = session.answer(card, answer)
            if answer.word == NOT_SURE:
                put_off[card.card_id] = put_off.get(card.card_id, 1.0) * PUT_OFF
            for decided, said in outcome.decided:
                wrong = table.obey_all(decided, said)
                all_right, track.wrong = all_right and not wrong, track.wrong + wrong
                track.note(inputs, groups, right=not wrong)
            offer = threshold_card(session.chances, groups.cut, limit, offered_at=offered)
            if offer is not None:
                inputs, offered, moved = inputs + 1, len(session.chances.told), True
                groups.move_to(offer.numbers["new"])
                track.note(inputs, groups)
                break
        if card is None and not moved:
            break
        chances = session.chances
        groups.grow()
        track.note(inputs, groups, right=all_right and not moved)
    return track


class _Cards:
    """Cards on the present groups, with the rows of their sides."""

    def __init__(self, groups: Groups, chances: Chances, put_off: dict[str, float], *, grids: bool = False) -> None:
        self._groups = groups
        self._rows: dict[str, Rows] = {}
        self._known: dict[int, tuple[int, set[int], float]] = {}
        members = groups.members()
        pairs = self._not_joined(members, chances)
        cards = [*pairs, *self._joined(members), *(self._grids(pairs, chances) if grids else ())]
        self.cards = [replace(card, weight=put_off.get(card.card_id, 1.0)) for card in cards]

    def truth(self, card: Card) -> bool:
        """Whether most faces of both sides are one person's."""
        return len({self._groups.person(self._rows[side.key]) for side in card.sides}) == 1

    def truths(self, card: Card) -> list[bool]:
        """Of each candidate of a grid: whether it shows the person of the first side."""
        first, *others = (self._groups.person(self._rows[side.key]) for side in card.sides)
        return [first == other for other in others]

    def obey_all(self, card: Card, answer: Answer) -> int:
        """What an answer decides, done; gives how much of it is wrong."""
        wrong = 0
        for place, (truth, side) in enumerate(zip(self.truths(card), card.sides[1:], strict=True), start=1):
            same = answer.word == "same" or place in answer.picked
            wrong += same != truth
            self.obey(replace(card, sides=(card.sides[0], side)), same=same)
        return wrong

    def obey(self, card: Card, *, same: bool) -> None:
        """A ruling on the groups in which the sides are by now, or on the parts of one."""
        first, second = (self._rows[side.key] for side in card.sides)
        if not card.joined:
            first, second = (
                np.flatnonzero(self._groups.labels == self._groups.labels[one[0]]) for one in (first, second)
            )
            if first[0] == second[0]:
                return
        self._groups.say(first, second, same=same)

    def _not_joined(self, members: Sequence[Rows], chances: Chances) -> list[Card]:
        distance = self._groups.distances(members)
        first, second = np.nonzero(np.isfinite(distance))
        sizes = np.array([len(rows) for rows in members])
        a, b = sizes[first], sizes[second]
        rows = np.zeros((len(first), rows_of([Likeness(distance=1, smaller=1)]).shape[1]))
        rows[:, 0], rows[:, 1], rows[:, 2] = 1, distance[first, second], np.log2(np.minimum(a, b))
        worth = chances.of_rows(rows) * 2 * a * b / (a + b)
        best = set(np.argsort(-worth, kind="stable")[:_CARDS].tolist())
        best |= set(np.argsort(rows[:, 1], kind="stable")[:_CARDS].tolist())
        best |= set(np.argsort(np.abs(chances.of_rows(rows) - 0.5), kind="stable")[:_CARDS].tolist())
        return [
            self._card(members[first[place]], members[second[place]], float(rows[place, 1]), joined=False)
            for place in sorted(best)
        ]

    def _grids(self, pairs: Sequence[Card], chances: Chances) -> list[Card]:
        """The likeliest candidates of each group as one card."""
        likely = chances.same([card.likenesses[0] for card in pairs])
        mine: dict[str, list[tuple[Side, Likeness]]] = {}
        for place in np.argsort(-likely, kind="stable").tolist():
            (first, second), likeness = pairs[place].sides, pairs[place].likenesses[0]
            mine.setdefault(first.key, []).append((second, likeness))
            mine.setdefault(second.key, []).append((first, likeness))
        found = []
        for key, others in mine.items():
            if len(others) > 1:
                sides, likenesses = zip(*others[:MOST_CANDIDATES], strict=True)
                first = Side(key=key, size=len(self._rows[key]))
                found.append(made("who_else", (first, *sides), likenesses=likenesses))
        return found

    def _joined(self, members: Sequence[Rows]) -> list[Card]:
        found = []
        for rows in (rows for rows in members if len(rows) > 1):
            first, second, distance = self._groups.last_join(rows)
            if key_of(first, second) not in self._groups.confirmed:
                found.append(self._card(first, second, distance, joined=True))
        return found

    def _card(self, first: Rows, second: Rows, distance: float, *, joined: bool) -> Card:
        (ours, one), (theirs, other) = self._looks(first), self._looks(second)
        likeness = Likeness(
            distance=distance,
            smaller=min(len(first), len(second)),
            sharpness=min(1.0, one, other),
            same_photo=bool(ours & theirs),
        )
        sides = [self._side(first, ""), self._side(second, "part" if joined else "")]
        return made("pair", sides, likenesses=(likeness,), joined=joined)

    def _looks(self, rows: Rows) -> tuple[set[int], float]:
        """Photos of a group, and how sharp it is."""
        key = int(rows[0])
        if key not in self._known or self._known[key][0] != len(rows):
            sharp = float(np.median(self._groups.sharp[rows])) / _SHARP_AT
            self._known[key] = (len(rows), set(self._groups.photo[rows].tolist()), sharp)
        return self._known[key][1:]

    def _side(self, rows: Rows, what: str) -> Side:
        key = f"{what}{int(rows.min())}"
        self._rows[key] = rows
        return Side(key=key, size=len(rows))

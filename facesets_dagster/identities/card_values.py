"""The values of all cards as arrays: after an answer they are computed again in one product. Pure.

The same numbers as `cards.valued` gives card by card; only the rows of cards whose sides changed are made anew.
"""

from collections.abc import Sequence

import numpy as np

from facesets_dagster.identities.cards import Card, moved_if_wrong
from facesets_dagster.identities.chances import Chances, Likeness, rows_of

_NOTHING = Likeness(distance=2.0, smaller=1)


class CardValues:
    """Values by the place of the card."""

    def __init__(self, cards: Sequence[Card]) -> None:
        counts = [len(card.likenesses) for card in cards]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._card = np.repeat(np.arange(len(cards)), counts)
        every = [likeness for card in cards for likeness in card.likenesses]
        self._rows = rows_of(every)
        self._moves, self._prices = np.zeros(len(every)), np.zeros(len(every))
        self._joined = np.array([card.joined for card in cards], bool)
        self._fixed, self._weight = np.zeros(len(cards)), np.zeros(len(cards))
        for place, card in enumerate(cards):
            self._put(place, card)

    def change(self, place: int, card: Card) -> None:
        """Another card in a place, with as many likenesses as the one before or fewer."""
        rows = slice(int(self._first[place]), int(self._first[place + 1]))
        padding = rows.stop - rows.start - len(card.likenesses)
        self._rows[rows] = rows_of([*card.likenesses, *([_NOTHING] * padding)])
        self._put(place, card)

    def drop(self, place: int) -> None:
        """A card that is not asked any more."""
        self._weight[place] = -1.0

    def of_all(self, chances: Chances) -> np.ndarray:
        """(n,): the value of each card; -1 for those that were dropped."""
        same = chances.of_rows(self._rows)
        wrong = np.where(self._joined[self._card], 1 - same, same)
        count = len(self._weight)
        changes = self._fixed + np.bincount(self._card, wrong * self._moves, count)
        inputs = 1.0 + np.bincount(self._card, wrong * self._prices, count)
        return np.where(self._weight < 0, -1.0, self._weight * changes / inputs)

    def _put(self, place: int, card: Card) -> None:
        start, end = int(self._first[place]), int(self._first[place + 1])
        self._moves[start:end], self._prices[start:end] = 0.0, 0.0
        fixed, moves, price = moved_if_wrong(card)
        self._moves[start : start + len(moves)] = moves
        self._prices[start : start + len(moves)] = price
        self._fixed[place], self._weight[place] = fixed, card.weight

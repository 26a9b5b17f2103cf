"""Sittings at the cards of `review_queue`: one for each visitor, who get no card twice at the same time.

A sitting begins with the table that the asset wrote and with what the rulings in force were told, and again when the
asset wrote another table or a ruling was taken back. Cards that rulings have answered since are passed over.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.identities.card_rulings import Statement, ruling_of
from facesets_dagster.identities.card_session import Answer, CardSession, Outcome
from facesets_dagster.identities.card_table import cards_of
from facesets_dagster.identities.cards import Card, Side
from facesets_dagster.identities.chances import Chances, Told, started
from facesets_dagster.identities.projection import is_ruled
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.identities.threshold_offer import threshold_card
from facesets_dagster.identities.told_answers import told_in, told_of_each
from facesets_dagster.settings import Settings

LEASE_SECONDS = 60.0
_NOTHING = (0, 0)
"""State of no table."""
AHEAD = 4
"""Cards that a page has in hand."""


@dataclass
class Sitting:
    """One visitor's session."""

    session: CardSession
    made_of: tuple[int, int]
    """State of the table."""
    passed: set[str] = field(default_factory=set)
    """Cards that are answered otherwise by now."""
    shown: dict[str, Card] = field(default_factory=dict)
    """As the page has them."""
    cut: float = 0.0
    """The cluster distance that the cards were made with."""
    limit: float = 0.0
    """The largest one that faces of one photo allow."""
    offered_at: int = 0
    """Answers there were when another distance was offered last."""

    def offer_distance(self) -> None:
        """Puts a card with another distance before the others, if the answers speak for one."""
        card = threshold_card(self.session.chances, self.cut, self.limit, offered_at=self.offered_at)
        if card is not None:
            self.offered_at = len(self.session.chances.told)
            self.session.offer(card)


@dataclass(frozen=True)
class Answered:
    """What an answer came to."""

    statements: Sequence[Statement]
    told: Sequence[Sequence[Told]]
    """What was said of likenesses, with each statement."""
    again: bool
    """It is asked once more, because it was hardly expected."""
    expected: float | None
    """With which chance the sides of the card are one person, as the numbers have it."""


class Sittings:
    """All sittings of a server."""

    def __init__(self, settings: Settings, in_force: Callable[[], Sequence[Ruling]]) -> None:
        """`in_force`: gives the rulings in force."""
        self._in_force = in_force
        self._table = settings.tables_dir / "review_queue" / "all.parquet"
        self._lock = threading.Lock()
        self._by_name: dict[str, Sitting] = {}
        self._leases: dict[str, tuple[str, float]] = {}

    def model_id(self) -> str | None:
        """The pack that the cards are of; None without cards."""
        if not self._table.is_file():
            return None
        found = pl.read_parquet(self._table, columns=["model_id"])["model_id"]
        return str(found[0]) if len(found) else None

    def cards(self, who: str, view: Reviewed) -> tuple[list[Card], int] | None:
        """The next cards for a visitor, and how many are left; None if the asset never ran."""
        with self._lock:
            sitting = self._sitting(who)
            if sitting is None:
                return None
            found: list[Card] = []
            while len(found) < AHEAD:
                card = sitting.session.next(leave_out=self._not_for(who, sitting, found))
                if card is None or any(card.card_id == one.card_id for one in found):
                    break
                if not card.again and is_answered(card, view) and card.card_id not in sitting.passed:
                    sitting.passed.add(card.card_id)
                    continue
                found.append(card)
            until = time.monotonic() + LEASE_SECONDS
            self._leases.update((card.card_id, (who, until)) for card in found if card.kind != "known")
            sitting.shown = {card.card_id: card for card in found}
            return found, len(sitting.session)

    def answer(self, who: str, card_id: str, answer: Answer) -> Answered | None:
        """Takes an answer; None for a card that the visitor does not have. Raises `ValueError` for a wrong word."""
        with self._lock:
            sitting = self._by_name.get(who)
            card = sitting.shown.get(card_id) if sitting else None
            if sitting is None or card is None:
                return None
            outcome: Outcome = sitting.session.answer(card, answer)
            sitting.shown.pop(card_id)
            self._leases.pop(card_id, None)
            sitting.offer_distance()
            said, told = list[Statement](), list[list[Told]]()
            for decided in outcome.decided:
                statements = ruling_of(*decided)
                said += statements
                told += told_of_each(*decided, len(statements))
            expected = card.chances[0] if card.kind == "pair" and card.chances else None
            return Answered(said, told, bool(outcome.again), expected)

    def error_rate(self, who: str) -> float | None:
        """Share of known cards that a visitor answered wrongly."""
        with self._lock:
            sitting = self._by_name.get(who)
            return sitting.session.error_rate() if sitting else None

    def chances(self, who: str) -> Chances | None:
        """The curve of a visitor's sitting; None before it begins."""
        with self._lock:
            sitting = self._by_name.get(who)
            return sitting.session.chances if sitting else None

    def begin_again(self) -> None:
        """A ruling was taken back: what it answered is a question again."""
        with self._lock:
            for sitting in self._by_name.values():
                sitting.made_of = _NOTHING

    def _sitting(self, who: str) -> Sitting | None:
        state = _state_of(self._table)
        if state is None:
            return None
        known = self._by_name.get(who)
        if known is None or known.made_of != state:
            sitting = self._begun(state)
            if known is not None:
                sitting.session.go_on_from(known.session)
                sitting.offered_at = known.offered_at
            self._by_name[who] = known = sitting
        return known

    def _begun(self, state: tuple[int, int]) -> Sitting:
        table = pl.read_parquet(self._table)
        if "calibrated_distance" not in table.columns:  # of an older release
            table = table.with_columns(calibrated_distance="cluster_distance")
        columns = ("model_id", "cluster_distance", "calibrated_distance", "photo_limit")
        cards, numbers = cards_of(table), table.select(columns).head(1).rows()
        model_id, cut, calibrated, limit = numbers[0] if numbers else ("", 0.0, 0.0, 0.0)
        chances = started(calibrated).learnt(told_in(self._in_force(), model_id))
        session = CardSession(cards, chances, [card for card in cards if card.kind == "known"])
        return Sitting(session, state, cut=cut, limit=limit)

    def _not_for(self, who: str, sitting: Sitting, found: Sequence[Card]) -> set[str]:
        now = time.monotonic()
        self._leases = {card: lease for card, lease in self._leases.items() if lease[1] > now}
        others = {card for card, (holder, _) in self._leases.items() if holder != who}
        return others | sitting.passed | {card.card_id for card in found}


def is_answered(card: Card, view: Reviewed) -> bool:
    """Whether rulings written after the card was made leave nothing to ask, or its people or faces are gone."""
    sides = list(card.sides)
    if any(not _is_there(side, view) for side in sides):
        return True
    if card.kind in ("pair", "look_alikes", "who_else"):
        named = [side.name for side in sides if side.name is not None and not side.piece]
        for place, first in enumerate(named):
            for second in named[place + 1 :]:
                if (min(first, second), max(first, second)) in view.apart and card.kind == "pair":
                    return True
    pieces = [side for side in sides if side.piece and side.name is not None]
    return bool(pieces) and all(_is_settled(side, view) for side in pieces)


def _is_there(side: Side, view: Reviewed) -> bool:
    """A person in use under this name, with the faces that it is about; faces that nobody has, of nobody's."""
    if side.name is None:
        return not any(face in view.owners for face in side.face_ids)
    rows: Mapping[str, tuple[str, str]] = view.members.get(side.name, {})
    return bool(rows) and all(face in rows for face in side.face_ids)


def _is_settled(side: Side, view: Reviewed) -> bool:
    rows = view.members.get(str(side.name), {})
    return bool(side.face_ids) and all(is_ruled(rows[face][1]) for face in side.face_ids)


def _state_of(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_mtime_ns, state.st_size

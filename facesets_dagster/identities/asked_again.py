"""Which answers are asked once more: those hardly expected, and those whose slip would cost more than a look. Pure."""

from collections.abc import Sequence

from facesets_dagster.identities.cards import Card, moved_if_wrong
from facesets_dagster.identities.chances import Chances, Likeness

SURPRISE = 0.1
"""An answer that was expected with less is asked once more."""
WORTH_ASKING = 0.2
"""So is one that changes something, if a slip would be expected to move so many faces. With 0.05 inputs go into second
looks that are no better spent than on the next card (docs/decisions/review-queue.md)."""
USUAL_ERRORS, AS_MANY = 0.05, 20
"""Rate of slips, as if it were known from so many cards."""


def asked_once_more(
    card: Card, told: Sequence[tuple[Likeness, bool]], chances: Chances, known: tuple[int, int]
) -> list[int]:
    """Places of the likenesses whose answer is; none of a card that was asked again.

    `told`: what an answer says of each (`cards.told_by`); `known`: cards whose answer is known that were answered
    rightly, and wrongly.
    """
    if card.again or card.kind not in ("pair", "who_else", "who_not"):
        return []
    same = chances.same([likeness for likeness, _ in told]).tolist()
    rate = (known[1] + USUAL_ERRORS * AS_MANY) / (sum(known) + AS_MANY)
    _, moves, _ = moved_if_wrong(card)
    found = []
    for place, (one, (_, said), faces) in enumerate(zip(same, told, moves, strict=True)):
        expected = one if said else 1 - one
        slip = rate * (1 - expected) / (rate * (1 - expected) + (1 - rate) * expected)
        if expected < SURPRISE or (said != card.joined and slip * faces > WORTH_ASKING):
            found.append(place)
    return found

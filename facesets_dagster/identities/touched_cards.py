"""A card after answers on its sides: with other sizes, fewer candidates, or no question any more. Pure."""

from dataclasses import replace

from facesets_dagster.identities.card_people import CardPeople
from facesets_dagster.identities.cards import Card, Side
from facesets_dagster.identities.chances import Likeness


def as_they_are(card: Card, people: CardPeople) -> Card | None:
    """The card by what is known of its sides; None if nothing is left to ask."""
    if card.kind in ("pair", "who_else", "who_not"):
        first = card.sides[0]
        open_ones = [place for place, side in enumerate(card.sides[1:]) if _is_open(card, first, side, people)]
        if not open_ones:
            return None
        sides = [_sized(card, first, people), *(_sized(card, card.sides[place + 1], people) for place in open_ones)]
        likenesses = [
            _resized(card.likenesses[place], sides[0], side) for place, side in zip(open_ones, sides[1:], strict=True)
        ]
        return replace(card, sides=tuple(sides), likenesses=tuple(likenesses))
    if card.kind == "look_alikes":
        face, *both = (side.key for side in card.sides)
        if people.are_one(*both) or any(people.are_two(face, one) for one in both):
            return None
    return card


def one_of_two(first: Card, second: Card) -> Card:
    """Two questions that became one, because two of their sides are one person: the mean of all pairs of faces."""
    one, other = first.likenesses[0], second.likenesses[0]
    weights = [_pairs(card) for card in (first, second)]
    whole = max(sum(weights), 1)
    distance = (one.distance * weights[0] + other.distance * weights[1]) / whole
    years = [likeness.years for likeness in (one, other) if likeness.years is not None]
    likeness = replace(
        one,
        distance=distance,
        sharpness=max(one.sharpness, other.sharpness),
        years=min(years, default=None),
        same_photo=one.same_photo or other.same_photo,
    )
    return replace(first, likenesses=(likeness,), weight=max(first.weight, second.weight))


def _is_open(card: Card, first: Side, side: Side, people: CardPeople) -> bool:
    if people.are_two(first.key, side.key):
        return False
    return card.joined or not people.are_one(first.key, side.key)


def _sized(card: Card, side: Side, people: CardPeople) -> Side:
    """A side with the faces of its group; of a person without a piece that is asked about, as many less."""
    return side if card.joined else replace(side, size=max(people.size(side.key), 1))


def _resized(likeness: Likeness, first: Side, second: Side) -> Likeness:
    return replace(likeness, smaller=min(first.size, second.size))


def _pairs(card: Card) -> int:
    """Pairs of faces that a distance is the mean of."""
    return card.sides[0].size * card.sides[1].size

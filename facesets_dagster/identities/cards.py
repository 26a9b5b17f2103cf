"""Cards: what a person is asked, each about one join that was made or not made, with what an answer is worth. Pure.

One unit for all kinds: faces that are expected to change hands for each input,

    value = P(the answer contradicts the present state) x 2ab / (a + b) / expected inputs

because the BCubed score of a faces changes by b / (a + b), and of b faces by a / (a + b), if a person of a + b faces
is joined or parted. It is the expected change of Biswas and Jacobs, "Active Image Clustering", CVPR 2012, with the
change of average linkage in closed form, over the price in user operations of Tian et al., CVPR 2007.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import mul

from facesets_dagster.identities.chances import Chances, Likeness

KINDS: Mapping[str, str] = {
    "pair": "are these two one person?",
    "who_else": "which of these are this person too?",
    "who_not": "which of these are not this person?",
    "approve": "a face set that is new, or grew since it was approved",
    "ignore_strangers": "people of one photo, near nobody",
    "impossible_pair": "two faces of one photo in one person",
    "look_alikes": "a face between two people",
    "threshold": "another number, as the answers so far say",
    "known": "a pair whose answer is known, for one's own error rate",
}
"""Kind of a card -> what it asks."""

NOT_SURE = "not_sure"
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "pair": ("same", "different", NOT_SURE),
    "who_else": ("picked", NOT_SURE),
    "who_not": ("picked", NOT_SURE),
    "approve": ("approve", NOT_SURE),
    "ignore_strangers": ("ignore", NOT_SURE),
    "impossible_pair": ("first", "second", "both", "neither", NOT_SURE),
    "look_alikes": ("first", "second", "neither", NOT_SURE),
    "threshold": ("take", "keep"),
    "known": ("same", "different", NOT_SURE),
}
"""Kind of a card -> words that answer it. `picked`, and `ignore` but for those picked, come with places of sides."""

MOST_CANDIDATES = 12
"""Of a grid card."""
MOST_SHOWN = 6
"""Faces of a side on a card."""
IMPORTANT, NEW, PUT_OFF = 1.5, 2.0, 0.2
"""What a value is multiplied by: people who are exported or named; what is new; for each "not sure"."""
_GRIDS = ("who_else", "who_not")
_ONE_FACE = ("look_alikes", "impossible_pair")


@dataclass(frozen=True, kw_only=True)
class Side:
    """A person, a piece of one, or faces that are nobody's."""

    key: str
    """The same for the same side of all cards: the name, or `face:` and the first face."""
    name: str | None = None
    """Of the face set that it is, or of which it is a piece; None: nobody's."""
    piece: bool = False
    """Whether it is only some faces of `name`."""
    size: int
    """Faces."""
    face_ids: tuple[str, ...] = ()
    """The faces that an answer is about; empty for a whole face set."""
    exemplars: tuple[str, ...] = ()
    """face_ids to look at, typical first, then as different as possible; more than are shown at once."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One question."""

    card_id: str
    """Kind and keys of the sides: the same question has the same one in every run."""
    kind: str
    sides: tuple[Side, ...]
    """`pair`, `known`: two. Grids: the person, then candidates. `look_alikes`: the face, the person that has it, the
    other one. `impossible_pair`: the person, then the two faces. `approve`: the person, then what grew."""
    likenesses: tuple[Likeness, ...] = ()
    """Of the first side and each later one."""
    joined: bool = False
    """Whether the sides are one person at present."""
    fixed: float | None = None
    """P(contradiction) where no likeness says it."""
    weight: float = 1.0
    """What the value is multiplied by: `IMPORTANT`, `NEW`, `PUT_OFF`."""
    chances: tuple[float, ...] = ()
    """P(one person) of each likeness, as valued last."""
    chance: float = 0.0
    """P(the answer contradicts the present state)."""
    inputs: float = 1.0
    """Expected keys or clicks."""
    value: float = 0.0
    """Faces expected to change hands for each input."""
    again: int = 0
    """How often it was answered against expectation: other exemplars are shown."""
    truth: bool | None = None
    """Of a known one: whether they are one person."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Of `threshold`: `old`, `new`, `answers`, `gain`, `harm`."""

    def people(self) -> frozenset[str]:
        """Names of the face sets that it is about; keys of sides that are nobody's."""
        return frozenset(side.name or side.key for side in self.sides)

    def shown(self, place: int) -> tuple[str, ...]:
        """Exemplars of a side to look at now: other ones each time that it is asked again."""
        faces = self.sides[place].exemplars
        if len(faces) <= MOST_SHOWN or not self.again:
            return faces[:MOST_SHOWN]
        start = self.again * MOST_SHOWN % len(faces)
        return (faces[start:] + faces[:start])[:MOST_SHOWN]


def card_id(kind: str, sides: Iterable[Side]) -> str:
    """Of the card that asks this of these sides; the two sides of a pair in any order."""
    keys = [f"{side.name}/{side.key}" if side.piece else side.key for side in sides]
    return ":".join((kind, *(sorted(keys) if kind in ("pair", "known") else keys)))


def made(kind: str, sides: Iterable[Side], **values: object) -> Card:
    """A card of these sides, not valued yet."""
    sides = tuple(sides)
    return Card(card_id=card_id(kind, sides), kind=kind, sides=sides, **values)  # type: ignore[arg-type]


def moved(first: int, second: int) -> float:
    """2ab / (a + b): how much the score of all faces changes, in faces, if a and b faces are joined or parted."""
    return 2.0 * first * second / (first + second) if first and second else 0.0


def valued(card: Card, chances: Chances) -> Card:
    """The card with its chances and its value at these chances."""
    same = tuple(chances.same(card.likenesses).tolist())
    wrong = [1 - one if card.joined else one for one in same]
    fixed, moves, price = moved_if_wrong(card)
    inputs = 1.0 + price * sum(wrong)
    value = card.weight * (fixed + sum(map(mul, wrong, moves))) / inputs
    chance = card.fixed if card.fixed is not None else max(wrong[: len(moves)], default=0.0)
    return replace(card, chances=same, chance=chance, inputs=inputs, value=value)


def moved_if_wrong(card: Card) -> tuple[float, list[float], float]:
    """Faces that are expected to change hands, chances of likenesses aside.

    Gives those of a card whose chance is fixed, else those of each likeness (the first ones of the card's) if it
    contradicts the present state, and the inputs that each such contradiction takes.
    """
    first, others = card.sides[0] if card.sides else None, card.sides[1:]
    if first is None:
        return 0.0, [], 0.0
    if card.kind in _GRIDS:
        rest = [first.size - side.size if card.joined else first.size for side in others]
        return 0.0, [moved(size, side.size) for size, side in zip(rest, others, strict=True)], 1.0
    if card.kind == "ignore_strangers":
        return (card.fixed or 0.0) * sum(side.size for side in card.sides), [], 0.0
    if card.kind == "approve":
        return (card.fixed or 0.0) * first.size, [], 0.0
    person = others[0] if card.kind == "look_alikes" else first
    changed = moved(person.size - 1, 1) if card.kind in _ONE_FACE else moved(first.size, others[0].size)
    return (0.0, [changed], 0.0) if card.fixed is None else (card.fixed * changed, [], 0.0)


def by_value(cards: Iterable[Card]) -> list[Card]:
    """Most valuable first, then by id."""
    return sorted(cards, key=lambda card: (-card.value, card.card_id))


def told_by(card: Card, word: str, picked: Iterable[int] = ()) -> list[tuple[Likeness, bool]]:
    """What an answer says of the likenesses of a card: each that it decides, and whether it is one person."""
    if word == NOT_SURE or not card.likenesses:
        return []
    if card.kind in ("pair", "known"):
        return [(card.likenesses[0], word == "same")]
    if card.kind in _GRIDS:
        chosen = set(picked)
        return [
            (likeness, (place in chosen) == (card.kind == "who_else"))
            for place, likeness in enumerate(card.likenesses, start=1)
        ]
    if card.kind == "look_alikes":
        return [(likeness, word == side) for likeness, side in zip(card.likenesses, ("first", "second"), strict=True)]
    return []

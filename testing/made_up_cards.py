"""Cards about people who are not there, for tests of the queue and its session."""

import numpy as np

from facesets_dagster.identities.cards import Card, Side, made
from facesets_dagster.identities.chances import Likeness


def side(key: str, size: int = 4, **values: object) -> Side:
    """A person, with as many exemplars as faces, 18 at most."""
    faces = tuple(f"{key}-{number}" for number in range(min(size, 18)))
    return Side(**{"key": key, "name": key, "size": size, "exemplars": faces, **values})  # type: ignore[arg-type]


def pair(first: Side | str, second: Side | str, distance: float = 0.7, **values: object) -> Card:
    """Whether two people, of four faces if they are only named, are one."""
    sides = [side(one) if isinstance(one, str) else one for one in (first, second)]
    likeness = Likeness(distance=distance, smaller=min(one.size for one in sides))
    return made("pair", sides, likenesses=(likeness,), **values)


def many_cards(count: int, seed: int = 0) -> list[Card]:
    """Pairs and grids of half as many people as there are cards; some joins are made."""
    numbers = np.random.default_rng(seed)
    sizes = numbers.geometric(0.2, count // 2 + 2)
    people = [side(f"p{place}", int(size)) for place, size in enumerate(sizes)]
    found: dict[str, Card] = {}
    while len(found) < count:
        first, *others = (people[place] for place in numbers.choice(len(people), 4, replace=False).tolist())
        far = [float(distance) for distance in numbers.uniform(0.4, 1.0, 3)]
        grid = tuple(
            Likeness(distance=one, smaller=min(first.size, other.size)) for one, other in zip(far, others, strict=True)
        )
        kind = numbers.choice(["pair", "pair", "pair", "who_else"])
        card = (
            pair(first, others[0], far[0], joined=bool(numbers.random() < 0.2))
            if kind == "pair"
            else made("who_else", (first, *others), likenesses=grid)
        )
        found[card.card_id] = card
    return list(found.values())

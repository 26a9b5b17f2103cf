"""What answers said of likenesses, kept with the rulings that they became: so the curve is learnt again from the
rulings in force, after one was taken back and after a restart. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.cards import Card, told_by
from facesets_dagster.identities.chances import Likeness, Told
from facesets_dagster.identities.rulings import Ruling, in_order

KEY = "told"
"""In the payload of a ruling: `model_id`, and `answers` on likenesses, each with `same`."""


def told_of_each(card: Card, answer: Answer, statements: int) -> list[list[Told]]:
    """What an answer said, for each of the statements that it became: one by one where there is one for each likeness,
    else all with the first.
    """
    told = [Told(likeness, same) for likeness, same in told_by(card, answer.word, answer.picked)]
    if len(told) == statements:
        return [[one] for one in told]
    return [told if place == 0 else [] for place in range(statements)]


def payload_of(told: Sequence[Told], model_id: str) -> dict[str, object]:
    """As a part of a ruling's payload; {} of nothing."""
    answers = [{**asdict(one.likeness), "same": one.same} for one in told]
    return {KEY: {"model_id": model_id, "answers": answers}} if answers else {}


def told_in(rulings: Sequence[Ruling], model_id: str) -> list[Told]:
    """What rulings in force were told of faces of a model, oldest first."""
    found = (ruling.payload.get(KEY) for ruling in in_order(rulings))
    return [one for entry in found if isinstance(entry, Mapping) and entry.get("model_id") == model_id
            for one in _told(entry.get("answers", ()))]  # fmt: skip


def _told(answers: Iterable[Mapping[str, Any]]) -> list[Told]:
    return [
        Told(Likeness(**{name: value for name, value in one.items() if name != "same"}), bool(one["same"]))
        for one in answers
    ]

"""Inputs of a visitor: the rulings that one key made, taken back and made again together.

The ids of such rulings differ in their last four characters only, so no column of the registry says which they are.
"""

from collections.abc import Sequence
from dataclasses import replace

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.writing import Author
from facesets_dagster.registry.ruling_rows import new_id

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SAME = 22
"""Leading characters that ids of one input share."""
MOST = 32 ** (26 - _SAME)
REDOES = "redoes"
"""Key of the payload: the ruling, taken back, of which this one is another copy."""


def ids_of_input(first: str, count: int) -> list[str]:
    """So many ids, the first one itself at the head."""
    start = 0
    for letter in first[_SAME:]:
        start = 32 * start + _LETTERS.index(letter)
    return [first[:_SAME] + _letters((start + place) % MOST) for place in range(count)]


def last_input(rulings: Sequence[Ruling], who: str | None) -> list[Ruling]:
    """The rulings in force of the visitor's last input from the page, oldest first; of all rulings in their order."""
    mine = [one for one in rulings if _is_of(one, who) and one.state == "in_force"]
    return [one for one in mine if one.ruling_id[:_SAME] == mine[-1].ruling_id[:_SAME]]


def last_undone(rulings: Sequence[Ruling], who: str | None) -> list[Ruling]:
    """What the visitor took back last and can have again: nothing once something else was decided since.

    Of rulings that were taken back at one moment all that one input had made.
    """
    mine = [one for one in rulings if _is_of(one, who)]
    again = {one.text(REDOES) for one in mine}
    decided = max((one.made_at for one in mine if one.text(REDOES) is None), default="")
    open_ones = [
        one
        for one in mine
        if one.state == "undone" and one.undone_by == who and one.ruling_id not in again and _since(one, decided)
    ]
    if not open_ones:
        return []
    last = max(open_ones, key=lambda one: (one.undone_at or "", -one.sequence))
    return [one for one in open_ones if one.ruling_id[:_SAME] == last.ruling_id[:_SAME]]


def made_again(undone: Sequence[Ruling], author: Author) -> list[Ruling]:
    """Copies as new rulings of one input; the log keeps the old ones as they are."""
    ids = ids_of_input(new_id(), len(undone))
    return [
        replace(
            author.ruling(
                old.kind, names=old.names, faces=old.faces, payload={**old.payload, REDOES: old.ruling_id},
                seen_generation=old.seen_generation, seen_digest=old.seen_digest,
            ),
            ruling_id=ruling_id,
            reason=old.reason,
        )
        for ruling_id, old in zip(ids, undone, strict=True)
    ]  # fmt: skip


def _is_of(ruling: Ruling, who: str | None) -> bool:
    return ruling.made_by == who and ruling.via == "ui"


def _since(ruling: Ruling, moment: str) -> bool:
    return ruling.undone_at is not None and ruling.undone_at >= moment


def _letters(number: int) -> str:
    return "".join(_LETTERS[number >> shift & 31] for shift in (15, 10, 5, 0))

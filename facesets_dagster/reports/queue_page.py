"""The page of `review_queue`: what would be asked first, by kind, with the faces."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.identities.cards import KINDS, Card, Side
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.system_page import Section
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face
from facesets_dagster.wording import counted

_COLUMNS = ("rank", "question", "sides", "faces", "chance", "value")
_QUESTIONS = {
    "pair": "Is this one person?",
    "who_else": "Which of these are this person too?",
    "who_not": "Which of these are not this person?",
    "approve": "Is this face set right as it stands?",
    "ignore_strangers": "Are these strangers, to be ignored?",
    "impossible_pair": "Which of the two faces of a photo is this person?",
    "look_alikes": "Which of the two people is this face?",
    "known": "A pair whose answer is known",
}
_SHOWN = 60
"""Cards with pictures."""
_FACES = 3
"""Of a side, those that are shown."""
_SIDES = 4


def queue_sheet(cards: Sequence[Card], faces: pl.DataFrame, load_photo: LoadPhoto, cache: Path) -> list[SheetRow]:
    """A row of pictures for each of the first cards; `faces`: face table."""
    shown = cards[:_SHOWN]
    ids = {one for card in shown for side in card.sides[:_SIDES] for one in side.exemplars[:_FACES]}
    wanted = faces.filter(pl.col("face_id").is_in(list(ids)))
    pictures, photos = of_faces(wanted, load_photo, cache), photo_by_face(wanted)
    return [
        SheetRow(
            f"{rank}. {_QUESTIONS[card.kind]}",
            [
                Tile(pictures[one], _called(side), photos[one])
                for side in card.sides[:_SIDES]
                for one in side.exemplars[:_FACES]
                if one in pictures
            ],
        )
        for rank, card in enumerate(shown, start=1)
    ]


def queue_sections(cards: Sequence[Card], sheet: Sequence[SheetRow], numbers: Mapping[str, float]) -> list[Section]:
    """`numbers`: the distances of the run."""
    counts = Counter(card.kind for card in cards)
    first = Section(
        "What could be asked",
        f"{counted(len(cards), 'card')}. The value is the faces that an answer is expected to move, for each key or "
        f"click. Pairs up to {numbers['reach']} beyond {numbers['cover_distance']} are asked about. Nothing is changed "
        "here.",
        ("kind", "cards", "what is asked"),
        [(kind, counts[kind], words) for kind, words in KINDS.items() if counts[kind]],
    )
    return [first, Section("The first ones", "Most worth an answer first.", _COLUMNS, _rows(cards[:_SHOWN]), sheet)]


def queue_table(cards: Sequence[Card]) -> Markdown:
    """The table for the UI."""
    return markdown_table(_COLUMNS, _rows(cards), most=50, empty="There is nothing to ask.")


def _rows(cards: Sequence[Card]) -> list[tuple[object, ...]]:
    return [
        (
            rank,
            _QUESTIONS[card.kind],
            ", ".join(map(_called, card.sides[:_SIDES])) + (", ..." if len(card.sides) > _SIDES else ""),
            sum(side.size for side in card.sides),
            round(card.chance, 3),
            round(card.value, 2),
        )
        for rank, card in enumerate(cards, start=1)
    ]


def _called(side: Side) -> str:
    if side.name is None:
        return "nobody's"
    return f"some of {side.name}" if side.piece else side.name

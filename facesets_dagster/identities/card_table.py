"""Cards as rows of a table, and back. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from facesets_dagster.identities.cards import Card, Side
from facesets_dagster.identities.chances import Likeness

_SIDE = pl.Struct(
    {
        "key": pl.String,
        "name": pl.String,
        "piece": pl.Boolean,
        "size": pl.Int64,
        "face_ids": pl.List(pl.String),
        "exemplars": pl.List(pl.String),
    }
)
_LIKENESS = pl.Struct(
    {
        "distance": pl.Float64,
        "smaller": pl.Int64,
        "sharpness": pl.Float64,
        "years": pl.Float64,
        "same_photo": pl.Boolean,
    }
)
_CARD = {
    "card_id": (pl.String(), "kind and sides; the same question has the same one in every run"),
    "rank": (pl.Int64(), "1 = an answer is worth most"),
    "kind": (pl.String(), "what is asked: a word of the glossary"),
    "value": (pl.Float64(), "faces expected to change hands for each input"),
    "chance": (pl.Float64(), "chance that the answer contradicts the library"),
    "inputs": (pl.Float64(), "keys or clicks that an answer is expected to take"),
    "joined": (pl.Boolean(), "whether the sides are one person in the library"),
    "weight": (pl.Float64(), "what the value is multiplied by: people who are exported or named, what is new"),
    "fixed": (pl.Float64(), "the chance, where no distance says it"),
    "chances": (pl.List(pl.Float64()), "chance that the first side and each later one are one person"),
    "sides": (pl.List(_SIDE), "people, pieces of them, or faces that are nobody's"),
    "likenesses": (pl.List(_LIKENESS), "what is known of the first side and each later one"),
    "truth": (pl.Boolean(), "of a known pair: whether it is one person"),
    "cluster_distance": (pl.Float64(), "of average linkage; what a `threshold` card would change"),
    "calibrated_distance": (
        pl.Float64(),
        "of average linkage, as the pack's calibration chose it: where chances start",
    ),
    "photo_limit": (pl.Float64(), "the largest one that faces of one photo allow"),
    "model_id": (pl.String(), "digest of the weights and det_size"),
}
CARD_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _CARD.items()})
CARD_COLUMNS = {name: words for name, (_, words) in _CARD.items()}


def table_of(
    cards: Sequence[Card], model_id: str, *, cluster_distance: float, calibrated_distance: float, photo_limit: float
) -> pl.DataFrame:
    """Rows of `CARD_SCHEMA`, in the order of the cards; the numbers are the same in all of them."""
    rows = [
        {
            **{name: getattr(card, name) for name in CARD_SCHEMA if hasattr(card, name)},
            "rank": rank,
            "chances": list(card.chances),
            "sides": [_lists(asdict(side)) for side in card.sides],
            "likenesses": [asdict(likeness) for likeness in card.likenesses],
            "cluster_distance": cluster_distance,
            "calibrated_distance": calibrated_distance,
            "photo_limit": photo_limit,
            "model_id": model_id,
        }
        for rank, card in enumerate(cards, start=1)
    ]
    return pl.DataFrame(rows, schema=CARD_SCHEMA)


def cards_of(table: pl.DataFrame) -> list[Card]:
    """The cards of a table."""
    return [
        Card(
            card_id=row["card_id"],
            kind=row["kind"],
            sides=tuple(_side(side) for side in row["sides"]),
            likenesses=tuple(Likeness(**likeness) for likeness in row["likenesses"]),
            joined=row["joined"],
            fixed=row["fixed"],
            weight=row["weight"],
            chances=tuple(row["chances"]),
            chance=row["chance"],
            inputs=row["inputs"],
            value=row["value"],
            truth=row["truth"],
        )
        for row in table.iter_rows(named=True)
    ]


def _lists(side: dict[str, object]) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in side.items()}


def _side(side: dict[str, Any]) -> Side:
    values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in side.items()}
    return Side(**values)

"""What a person could be asked, in the order of what an answer is worth."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.inventory import inventory_of
from facesets_dagster.analysis.photo_limit import limit_of
from facesets_dagster.analysis.review_queue import QueueNumbers, find_cards
from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_dates import years_on_record
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.identities.card_table import CARD_COLUMNS, table_of
from facesets_dagster.identities.cards import KINDS, Card
from facesets_dagster.reports.queue_page import queue_sections, queue_sheet, queue_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

_SHARP = 4
"""So many times the gate's sharpness a face can be told."""


class ReviewQueueConfig(PhotoConfig):
    """What is asked about."""

    reach: Distance | None = Field(
        default=None,
        gt=0,
        description="So far beyond cover_distance pairs are asked about; a number so near to its threshold is in "
        "doubt. null = pack (ArcFace 0.2).",
    )
    cover_distance: Distance | None = Field(default=None, description="Of two people. null = pack (0.45).")
    outlier_distance: Distance | None = Field(default=None, description="Of a face and its person. null = pack (0.55).")
    cluster_distance: Distance | None = Field(
        default=None, description="Of faces that are nobody's, as groups. null = pack (0.55)."
    )
    most_cards: int = Field(default=2_000, ge=1, description="So many are kept, the most valuable ones.")

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {
            "reach": pack.scaled(0.2),
            "cover_distance": pack.cover_distance,
            "outlier_distance": pack.outlier_distance,
            "cluster_distance": pack.cluster_distance,
        }

    def resolved(self, pack: PackThresholds) -> QueueNumbers:
        """The numbers of this run."""
        return self.resolve(
            QueueNumbers, pack, calibrated_distance=pack.cluster_distance, sharp_at=_SHARP * pack.min_blur
        )


@library_asset(kinds={"parquet"}, deps=[top_manifest], table="CardsTable")
def review_queue(
    context: AssetExecutionContext, config: ReviewQueueConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Questions for a person, what an answer is worth most first: the cards of the review page.

    Pairs of people that may be one, pieces of a person that may be somebody else, faces between two people, twice in
    one photo, strangers to ignore, people to approve. Read from the registry and the cached faces; what a ruling
    answers is not asked; nothing is changed.
    """
    page, pack, cache = Page(context, home, embedder), embedder.pack(), Path(home.cache_dir)
    library, numbers = home.library(), config.resolved(embedder.thresholds())
    library.finish_moves(f"run {context.run.run_id}", context.log.info)
    inventory = inventory_of(library, home.store_of(pack), cache, pack)
    years = years_on_record(inventory.faces, home.store_of(pack), cache)
    cards = find_cards(inventory, library, pack, numbers, years)
    load_photo = photo_loader(home.folders(), inventory.faces, config.max_pixels)
    sheet = queue_sheet(cards, inventory.faces, load_photo, cache)
    page.write("Cards", queue_sections(cards, sheet, asdict(numbers)), "the questions, with pictures", sheet=sheet[:20])
    farthest = min(2.0, numbers.cluster_distance + 2 * numbers.reach)
    limit = limit_of(
        inventory.faces,
        cluster_distance=numbers.cluster_distance,
        apart=numbers.calibrated_distance,
        farthest=farthest,
    )
    table = table_of(
        cards,
        pack.model_id,
        cluster_distance=numbers.cluster_distance,
        calibrated_distance=numbers.calibrated_distance,
        photo_limit=limit,
    )
    return _described(page, table, cards, {**asdict(numbers), "photo_limit": limit})


def _described(page: Page, table: pl.DataFrame, cards: list[Card], numbers: dict[str, float]) -> Result:
    page.show_review("review_queue", "the questions, the most valuable first")
    counts = Counter(card.kind for card in cards)
    page.say(f"{counted(len(cards), 'card')}: {dict(counts)}")
    return page.table(
        table,
        CARD_COLUMNS,
        {
            "cards": len(cards),
            "expected_change": round(sum(card.value for card in cards), 1),
            "first_cards": queue_table(cards),
        },
        {**{kind: counts[kind] for kind in KINDS if kind != "threshold"}, "parameters": numbers},
    )

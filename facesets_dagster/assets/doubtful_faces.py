"""What is uncertain, as questions in the order in which their answers change most."""

from dataclasses import asdict
from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.doubtful_faces import DOUBT_COLUMNS, find_doubts
from facesets_dagster.analysis.inventory import inventory_of
from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.identities.doubts import KINDS, Margins
from facesets_dagster.reports.doubts_page import counts, doubt_sections, doubt_sheets, doubts_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class DoubtfulFacesConfig(PhotoConfig):
    """How near to its threshold a number is in doubt."""

    margin: Distance | None = Field(
        default=None,
        gt=0,
        description="Cosine distance to a threshold within which a decision is in doubt. null = pack (ArcFace 0.05).",
    )
    cover_distance: Distance | None = Field(
        default=None, description="Of two people, and of a face and a person. null = pack (0.45)."
    )
    outlier_distance: Distance | None = Field(default=None, description="Of a face and its person. null = pack (0.55).")

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {
            "margin": pack.scaled(0.05),
            "cover_distance": pack.cover_distance,
            "outlier_distance": pack.outlier_distance,
        }

    def resolved(self, pack: PackThresholds) -> Margins:
        """The numbers of this run."""
        return self.resolve(Margins, pack)


@library_asset(kinds={"parquet"}, deps=[top_manifest], table="DoubtsTable")
def doubtful_faces(
    context: AssetExecutionContext, config: DoubtfulFacesConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Decisions that could have gone the other way, as questions: what an answer would change most comes first.

    Faces between two people, joins near their threshold, faces that are nearly outliers or nearly none, two faces of
    one photo in one person, left-over faces near a person, two people who may be one. Read from the registry and the
    cached faces, with pictures side by side; nothing is changed.
    """
    page, pack, cache = Page(context, home, embedder), embedder.pack(), Path(home.cache_dir)
    library, numbers = home.library(), config.resolved(embedder.thresholds())
    library.finish_moves(f"run {context.run.run_id}", context.log.info)
    inventory = inventory_of(library, home.store_of(pack), cache, pack)
    table = find_doubts(inventory, library, pack, numbers)
    load_photo = photo_loader(home.folders(), inventory.faces, config.max_pixels)
    sheets = doubt_sheets(table, inventory.faces, load_photo, cache)
    sheet = [row for kind in KINDS for row in sheets.get(kind, [])[:5]]
    page.write(
        "Faces in doubt", doubt_sections(table, sheets, asdict(numbers)), "the questions, with pictures", sheet=sheet
    )
    return _described(page, table, asdict(numbers))


def _described(page: Page, table: pl.DataFrame, numbers: dict[str, float]) -> Result:
    found = {kind: questions for kind, questions, _, _ in counts(table)}
    page.say(f"{counted(len(table), 'question')}: {found}")
    return page.table(
        table,
        DOUBT_COLUMNS,
        {
            "questions": len(table),
            "faces_in_doubt": int(table["moved"].sum()),
            "expected_change": round(float(table["change"].sum()), 1),
            "first_questions": doubts_table(table),
        },
        {**{kind: found.get(kind, 0) for kind in KINDS}, "parameters": numbers},
    )

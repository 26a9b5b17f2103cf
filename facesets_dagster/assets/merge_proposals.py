"""Facesets that may show one person, as proposals."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.merge_proposals import PROPOSAL_COLUMNS, Proposals, propose_merges
from facesets_dagster.analysis.rulings_on import rejections
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig, Share
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import LoadPhoto, photo_loader
from facesets_dagster.identities.consolidation import ConsolidationNumbers
from facesets_dagster.reports.markdown import fenced
from facesets_dagster.reports.merge_page import (
    PROPOSED,
    proposal_sections,
    proposals_sheet,
    proposals_table,
    ready_to_paste,
)
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

EVERYBODY_COMPARED = Check(
    "all_facesets_compared",
    "Every live faceset has a centroid and faces, so that its duplicates can be found.",
)


class MergeProposalsConfig(PhotoConfig):
    """When two facesets are proposed as one person."""

    merge_distance: Distance | None = Field(
        default=None,
        gt=0,
        description=(
            "Largest cosine distance between the centroids of any two facesets of a group (complete linkage). "
            "null = the pack's cover distance (ArcFace 0.45), at which the main chain recognises a known "
            "person."
        ),
    )
    member_distance: Distance | None = Field(
        default=None,
        gt=0,
        description=(
            "Largest cosine distance of two faces that count as near. null = the pack's number (ArcFace 0.55, the "
            "average distance at which faces are one cluster)."
        ),
    )
    min_near_share: Share = Field(
        default=0.5,
        description="Share of the pairs of faces that must be near: centroids can meet by accident, faces do not.",
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"merge_distance": pack.cover_distance, "member_distance": pack.member_distance}

    def resolved(self, pack: PackThresholds) -> ConsolidationNumbers:
        """The numbers of this run."""
        return self.resolve(ConsolidationNumbers, pack)


@library_asset(kinds={"parquet"}, deps=[top_manifest], table="ProposalsTable", checks=[EVERYBODY_COMPARED])
def merge_proposals(
    context: AssetExecutionContext, config: MergeProposalsConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Facesets that probably show one person, as groups to look at and to give to the job `apply_merges`.

    All identities except eras are compared. A group is formed by complete linkage of centroids; the faces must agree, a
    photo that shows both speaks against it, and a rejected pair is never proposed again. The groups with the largest
    gain come first, with the faces side by side. Nothing is changed.
    """
    page, pack, library = Page(context, home, embedder), embedder.pack(), home.library()
    library.finish_moves(f"run {context.run.run_id}", context.log.info)
    numbers, store_of = config.resolved(embedder.thresholds()), home.store_of(pack)
    found = propose_merges(library, store_of, pack, numbers)
    folders = home.folders()

    def photos_of(rows: pl.DataFrame) -> LoadPhoto:
        return photo_loader(folders, rows, config.max_pixels)

    sheet = proposals_sheet(found, library, store_of, photos_of, Path(home.cache_dir))
    sections = proposal_sections(found, sheet, asdict(numbers), rejections(library))
    page.write("Facesets that may be one person", sections, "the proposals, side by side", sheet=sheet)
    return _described(page, found, asdict(numbers))


def _described(page: Page, found: Proposals, numbers: dict[str, float]) -> Result:
    page.show_review("merge_proposals", "the questions, the most valuable first")
    proposed = found.table.filter(pl.col("state") == PROPOSED)
    states = Counter(found.table["state"].to_list())
    page.say(f"{counted(len(found.people), 'faceset')} compared: {dict(sorted(states.items()))}")
    return page.table(
        found.table,
        PROPOSAL_COLUMNS,
        {
            "proposed": len(proposed),
            "gain": int(proposed["gain"].sum()),
            "proposals": proposals_table(found.table),
            "ready_to_paste": fenced(ready_to_paste(found.table.head(50))) if len(proposed) else "",
            "facesets": len(found.people),
        },
        {**{state: states[state] for state in ("vetoed", "far_members", "rejected", "chained")}, "parameters": numbers},
        checks=[
            EVERYBODY_COMPARED.result(
                not found.without_faces,
                facesets=found.without_faces[:200],
                what_to_do="Materialize face_cache of their buckets, or legacy_library if they are there.",
            )
        ],
    )

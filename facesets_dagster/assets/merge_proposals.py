"""Which facesets are one person, as proposals."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.merge_proposals import PROPOSAL_COLUMNS, propose_merges
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._publishers import PUBLISH_PEOPLE
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.identities.consolidation import ConsolidationNumbers
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, places_of, rows_of_members
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports.contact_sheet import PER_ROW, SheetRow, Tile, sheet_markdown
from facesets_dagster.reports.merge_page import PROPOSED, proposal_sections, proposals_table, side_by_side
from facesets_dagster.reports.system_page import row_of_faceset, write_system_page
from facesets_dagster.reports.thumbnails import of_faces
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

SHOWN = 300
"""Proposals with pictures; the table has them all."""
_PICTURES = 3000
"""Of all of them; where they are many, each faceset has fewer, but two."""


class MergeProposalsConfig(dg.Config):
    """When two facesets are proposed as one person."""

    merge_distance: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description=(
            "Largest cosine distance between the centroids of any two of a group (complete linkage). null = the pack's "
            "cover distance (ArcFace 0.45), at which the main chain takes a cluster for somebody who is known."
        ),
    )
    member_distance: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description=(
            "A face of one and a face of the other are near up to this. null = the pack's cluster distance (ArcFace "
            "0.55), the average distance at which faces are one cluster."
        ),
    )
    min_near_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of such pairs of faces that must be near: centroids can meet by accident, faces do not.",
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels are not shown.")

    def resolved(self, pack: PackThresholds) -> ConsolidationNumbers:
        """The numbers of this run."""
        return ConsolidationNumbers(
            merge_distance=pack.cover_distance if self.merge_distance is None else self.merge_distance,
            member_distance=pack.cluster_distance if self.member_distance is None else self.member_distance,
            min_near_share=self.min_near_share,
        )


@dg.asset(
    deps=PUBLISH_PEOPLE,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="ProposalsTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "everybody_compared",
            asset="merge_proposals",
            description="A centroid and faces are known of every live faceset, so that its duplicates can be found.",
        )
    ],
)
@teaching
def merge_proposals(
    context: AssetExecutionContext, config: MergeProposalsConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Facesets that are probably one person, as groups to look at and to hand to the job `apply_merges`.

    All identities are compared, eras with nobody. A group holds together by complete linkage of centroids; the faces
    must agree, a photo that shows both speaks against it, and a pair that was rejected never comes back. Most gain
    first, each with the faces side by side. Nothing is changed.
    """
    story, pack, library = Story(context), embedder.pack(), home.library()
    library.settle(f"run {context.run.run_id}", context.log.info)
    numbers = config.resolved(embedder.thresholds())
    found = propose_merges(library, home.store_of(pack), pack, numbers)
    proposed = found.table.filter(pl.col("state") == PROPOSED)
    states = Counter(found.table["state"].to_list())
    story.tell(f"{counted(len(found.people), 'faceset')} compared: {dict(sorted(states.items()))}")
    sheet = _sheet(proposed.head(SHOWN), library, home, home.store_of(pack), config.max_pixels)
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "merge_proposals",
        "Facesets that may be one person",
        proposal_sections(found, sheet, asdict(numbers), SHOWN),
        changes="",
    )
    return dg.MaterializeResult(
        value=found.table,
        data_version=frame_version(found.table),
        metadata={
            "dagster/row_count": len(found.table),
            "dagster/column_schema": table_columns(found.table, PROPOSAL_COLUMNS),
            "report": link("the proposals, side by side", "reports", LIBRARY, page.name),
            "facesets": len(found.people),
            "proposed": len(proposed),
            "gain": int(proposed["gain"].sum()),
            **{state: states[state] for state in ("vetoed", "far_members", "rejected", "chained")},
            "proposals": dg.MetadataValue.md(proposals_table(found.table)),
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if home.pictures_in_ui else {}),
            "parameters": asdict(numbers),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="everybody_compared",
                passed=not found.without_faces,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "facesets": found.without_faces[:200],
                    "what_to_do": "Materialize face_cache of their buckets, or legacy_library if they lie elsewhere.",
                },
            )
        ],
    )


def _sheet(
    proposed: pl.DataFrame,
    library: Library,
    home: HomeResource,
    store_of: StoreOf,
    max_pixels: int,
) -> list[SheetRow]:
    digests = library.registry.manifest_digests()
    folders = home.folders()
    most = max(2, min(PER_ROW, _PICTURES // max(1, sum(map(len, proposed["names"])))))

    def row_of(name: str, title: str) -> SheetRow:
        if digests[name] is not None:
            return row_of_faceset(library.folder / name, title, most)
        places = places_of(library, name)  # a legacy faceset that was never published here
        rows = rows_of_members(library, store_of, places) if places else None
        if rows is None:
            return SheetRow(title, [])
        mine = rows.filter(pl.col("face_id").is_in(list(places))).sort("face_id").head(most)
        pictures = of_faces(mine, photo_loader(folders, mine, max_pixels), Path(home.cache_dir))
        return SheetRow(f"{title}: {counted(len(places), 'member')}", [Tile(jpeg, "") for jpeg in pictures.values()])

    return side_by_side(proposed, row_of)

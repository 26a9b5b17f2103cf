"""Every archive opened as a consumer does: is it one person, and which."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.consumer_simulation import SimulationInputs, simulate_facesets
from facesets_dagster.analysis.simulation_verdicts import Judged, Limits, judge, simulation_table
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._publishers import PUBLISHERS
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.export.look_store import LookStore
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.plots import histogram
from facesets_dagster.reports.simulation_page import failing_sheet, simulation_sections, worst_first
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

COLUMNS = {
    "faceset": "whose archive it is",
    "kind": "auto, hand_sorted, discovered, era or thin_era",
    "archive": "all exported faces, or the top ones",
    "det_size": "detector size of the consumer, px",
    "pngs": "pictures in the archive",
    "without_face": "pictures in which no face is found",
    "with_several": "pictures in which more than one face is found",
    "faces": "faces found, all of which are averaged",
    "mean_distance": "cosine distance of their raw mean to the faceset's centroid",
    "nearest_other": "the nearest live faceset of another person",
    "margin": "distance to that one's centroid minus the own one's",
    "largest_face_distance": "of a single found face to the faceset's centroid",
    "pictures_wrong": "why not exactly one face is found in every picture; null if it is",
    "mean_wrong": "why the mean does not stand for this person; null if it does",
}


class ConsumerSimulationConfig(dg.Config):
    """What a mean has to keep, and of whom."""

    facesets: list[str] = Field(
        default_factory=list, description="Names, e.g. faceset_001; empty = all live ones, eras and thin eras too."
    )
    max_mean_distance: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description="Most cosine distance of a consumer's mean to the faceset's centroid. null = the pack's number.",
    )
    min_margin: float | None = Field(
        default=None,
        ge=-2,
        le=2,
        description=(
            "By how much that mean must be nearer to its own centroid than to that of any other person. null = the "
            "pack's number."
        ),
    )

    def resolved(self, pack: PackThresholds) -> Limits:
        """The pack's numbers where none are given."""
        return Limits(
            pack.scaled(0.10) if self.max_mean_distance is None else self.max_mean_distance,
            pack.scaled(0.10) if self.min_margin is None else self.min_margin,
        )


@dg.asset(
    deps=PUBLISHERS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="SimulationTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "one_face_per_png",
            asset="consumer_simulation",
            blocking=True,
            description="Every archive opens, and in each of its pictures one face is found, at 640 and at 320.",
        ),
        dg.AssetCheckSpec(
            "mean_is_the_person",
            asset="consumer_simulation",
            blocking=True,
            description="The mean of the found faces is near the faceset's centroid, and nearer than anybody else's.",
        ),
    ],
)
@teaching
def consumer_simulation(
    context: AssetExecutionContext, config: ConsumerSimulationConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Proof of use: each `.fsz` is opened as roop-unleashed opens it, and what it would take for the person compared.

    Flat zip, every `.png`, every face found at detector size 640 and at 320, raw mean of all: exactly one face per
    picture, the mean near the faceset's centroid and far from everybody else's. The library is only read, and an
    archive that did not change is not looked at again.
    """
    story, pack, library = Story(context), embedder.pack(), home.library()
    limits = config.resolved(embedder.thresholds())
    inputs = SimulationInputs(config.facesets, pack, embedder.worker_count(), context.run.run_id)
    store = LookStore(Path(home.cache_dir), pack.model_id, pack.dim)
    simulation = simulate_facesets(inputs, library, embedder.embedder, store, say=context.log.info)
    rows = judge(simulation, limits)
    table, sheet = simulation_table(rows), failing_sheet(simulation)
    simulated, good = sum(seen.simulated for seen in simulation.facesets), _good(rows)
    story.tell(f"{good} of {counted(len(simulation.facesets), 'faceset')} pass, {counted(simulated, 'look')} taken")
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "consumer_simulation",
        "As a consumer sees it",
        simulation_sections(simulation, rows, limits, sheet),
        changes="",
    )
    pictures = {"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if sheet and home.pictures_in_ui else {}
    return dg.MaterializeResult(
        value=table,
        data_version=frame_version(table),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, COLUMNS),
            "facesets": len(simulation.facesets),
            "facesets_that_pass": good,
            "not_published_here": list(simulation.not_published_here)[:200],
            "pictures_looked_at": simulated,
            "largest_mean_distance": max(_known(table["mean_distance"]), default=None),
            "smallest_margin": min(_known(table["margin"]), default=None),
            "mean_distance": dg.MetadataValue.md(
                histogram(_known(table["mean_distance"]), "from the centroid", threshold=limits.max_mean_distance)
            ),
            "margin": dg.MetadataValue.md(
                histogram(_known(table["margin"]), "to the nearest other", threshold=limits.min_margin)
            ),
            "report": link("facesets, the worst first", "reports", LIBRARY, page.name),
            **pictures,
            "generation": simulation.generation,
            "parameters": {**config.model_dump(), **vars(limits)},
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=_checks(rows, limits),
    )


def _good(rows: list[Judged]) -> int:
    return sum(all(row.passed for row in own) for own in worst_first(rows).values())


def _known(values: pl.Series) -> list[float]:
    return values.drop_nulls().to_list()


def _checks(rows: list[Judged], limits: Limits) -> list[dg.AssetCheckResult]:
    pictures = [f"{_place(row)}: {row.pictures_wrong}" for row in rows if row.pictures_wrong is not None]
    means = [f"{_place(row)}: {row.mean_wrong}" for row in rows if row.mean_wrong is not None]
    return [
        dg.AssetCheckResult(
            check_name="one_face_per_png",
            passed=not pictures,
            metadata={
                "wrong": pictures[:100],
                "archives_and_sizes": len(rows),
                "what_to_do": (
                    "The report shows the pictures. Facesets of an older release are made anew by swap_ready_facesets "
                    "of their bucket; `facesets verify` tells whether a file was changed since."
                ),
            },
        ),
        dg.AssetCheckResult(
            check_name="mean_is_the_person",
            passed=not means,
            metadata={
                "wrong": means[:100],
                **vars(limits),
                "what_to_do": (
                    "A small margin: two facesets of one person (merge_proposals), or a mixed one. A large distance: "
                    "another person's faces in the pictures."
                ),
            },
        ),
    ]


def _place(row: Judged) -> str:
    return f"{row.faceset} ({row.archive}, {row.det_size})"

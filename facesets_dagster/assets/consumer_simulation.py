"""Every archive opened as a consumer opens it: does it show one person, and the right one?"""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.consumer_simulation import Simulation, SimulationInputs, simulate_facesets
from facesets_dagster.analysis.simulation_verdicts import SIMULATION_COLUMNS, Judged, Limits, judge, simulation_table
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import Distance, NumbersConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.export.look_store import LookStore
from facesets_dagster.reports.plots import histogram
from facesets_dagster.reports.simulation_page import failing_sheet, simulation_sections, worst_first
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

ONE_FACE_PER_PNG = Check(
    "one_face_per_png",
    "Every archive opens, and in each of its pictures one face is found, at 640 and at 320.",
    blocking=True,
)
MEAN_IS_THE_PERSON = Check(
    "mean_matches_faceset",
    ("The mean of the found faces is near the faceset's centroid, and nearer than to that of any other person."),
    blocking=True,
)


class ConsumerSimulationConfig(NumbersConfig):
    """The limits for the mean that a consumer computes, and the facesets to test."""

    facesets: list[str] = Field(
        default=[], description="Names, e.g. faceset_001; empty = all live ones, eras and thin eras too."
    )
    max_mean_distance: Distance | None = Field(
        default=None,
        gt=0,
        description=(
            "Largest cosine distance of a consumer's mean to the faceset's centroid. null = the pack's number."
        ),
    )
    min_margin: float | None = Field(
        default=None,
        ge=-2,
        le=2,
        description=(
            "How much nearer that mean must be to its own centroid than to that of any other person. null = "
            "the pack's number."
        ),
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"max_mean_distance": pack.scaled(0.10), "min_margin": pack.scaled(0.10)}

    def resolved(self, pack: PackThresholds) -> Limits:
        """The pack's numbers where none are given."""
        return self.resolve(Limits, pack)


@library_asset(
    kinds={"parquet"},
    deps=[top_manifest],
    table="SimulationTable",
    checks=[ONE_FACE_PER_PNG, MEAN_IS_THE_PERSON],
)
def consumer_simulation(
    context: AssetExecutionContext, config: ConsumerSimulationConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """A test of use: each `.fsz` is opened as roop-unleashed opens it, and the person found there is compared with the
    faceset.

    A flat zip, every `.png` in it, every face found at detector size 640 and at 320, the raw mean of all. Each picture
    must show exactly one face, and the mean must be near the faceset's centroid and far from all others. The library is
    only read, and an unchanged archive is not analysed again.
    """
    page, pack = Page(context, home, embedder), embedder.pack()
    limits = config.resolved(embedder.thresholds())
    inputs = SimulationInputs(config.facesets, pack, embedder.worker_count(), context.run.run_id)
    store = LookStore(Path(home.cache_dir), pack.model_id, pack.dim)
    found = simulate_facesets(inputs, home.library(), embedder.embedder, store, say=context.log.info)
    rows, sheet = judge(found, limits), failing_sheet(found)
    sections = simulation_sections(found, rows, limits, sheet)
    page.write("As a consumer sees it", sections, "facesets, the worst first", sheet=sheet)
    return _described(page, found, rows, {**config.model_dump(), **vars(limits)}, limits)


def _described(
    page: Page, found: Simulation, rows: list[Judged], parameters: dict[str, object], limits: Limits
) -> Result:
    table, looks = simulation_table(rows), sum(seen.simulated for seen in found.facesets)
    good = sum(all(row.passed for row in own) for own in worst_first(rows).values())
    distances, margins = _known(table["mean_distance"]), _known(table["margin"])
    page.say(f"{good} of {counted(len(found.facesets), 'faceset')} pass, {counted(looks, 'look')} taken")
    return page.table(
        table,
        SIMULATION_COLUMNS,
        {
            "facesets": len(found.facesets),
            "facesets_that_pass": good,
            "mean_distance": histogram(distances, "from the centroid", threshold=limits.max_mean_distance),
            "margin": histogram(margins, "to the nearest other", threshold=limits.min_margin),
        },
        {
            "largest_mean_distance": max(distances, default=None),
            "smallest_margin": min(margins, default=None),
            "not_published_here": list(found.not_published_here)[:200],
            "pictures_looked_at": looks,
            "generation": found.generation,
            "parameters": parameters,
        },
        checks=_checks(rows, limits),
    )


def _known(values: pl.Series) -> list[float]:
    return values.drop_nulls().to_list()


def _checks(rows: list[Judged], limits: Limits) -> list[dg.AssetCheckResult]:
    pictures = [f"{_place(row)}: {row.pictures_wrong}" for row in rows if row.pictures_wrong is not None]
    means = [f"{_place(row)}: {row.mean_wrong}" for row in rows if row.mean_wrong is not None]
    return [
        ONE_FACE_PER_PNG.result(
            not pictures,
            wrong=pictures[:100],
            archives_and_sizes=len(rows),
            what_to_do=(
                "The report shows the pictures. Facesets of an older release are made again by swap_ready_facesets "
                "of their bucket; `facesets verify` tells whether a file was changed since."
            ),
        ),
        MEAN_IS_THE_PERSON.result(
            not means,
            wrong=means[:100],
            **vars(limits),
            what_to_do=(
                "A small margin: two facesets of one person (merge_proposals), or a mixed one. A large distance: "
                "another person's faces in the pictures."
            ),
        ),
    ]


def _place(row: Judged) -> str:
    return f"{row.faceset} ({row.archive}, {row.det_size})"

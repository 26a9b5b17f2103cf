"""Rulings made true in the library, in this process: what `facesets rule`, `rulings` and `label` start.

Only what the job needs is imported: the whole code location would take as long again.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from facesets_dagster.assets._order import RULING
from facesets_dagster.assets.applied_rulings import applied_rulings
from facesets_dagster.assets.library import library as library_spec
from facesets_dagster.assets.rulings import rulings
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.automation.in_process import run_job
from facesets_dagster.automation.noted_end import note_end, why_it_failed
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.errors import LibraryError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings

APPLY = "apply_rulings"


def embedder_of(settings: Settings) -> EmbedderResource:
    """The home's models."""
    return EmbedderResource.of(settings)


def apply_now(
    settings: Settings,
    job: str = APPLY,
    tags: Mapping[str, str] | None = None,
    *,
    command: str = "facesets rulings apply",
) -> str:
    """Runs `applied_rulings` and `top_manifest` as the job of that name; gives the id of the run.

    Raises `LibraryError` if it does not end well: the rulings stay on record then. `command`: what tries again.
    """
    with instance_of(settings) as instance:
        done = run_job(_job(settings, job), instance, tags=tags)
    note_end(done, job, settings.reports_dir)
    if not done.success:
        why = why_it_failed(done, "see the Dagster UI").rstrip(".")
        raise LibraryError(
            f"It is on record and waits, the library is as before: the run {done.run_id} did not finish: {why}. "
            f"`{command}` tries again."
        )
    return done.run_id


def _job(settings: Settings, name: str) -> dg.JobDefinition:
    """The job of that name without the rest of the code location."""
    upstream: list[Any] = [library_spec, rulings, dg.AssetSpec("swap_ready_facesets", partitions_def=SOURCE_BUCKET)]
    own = dg.Definitions(
        assets=[*upstream, applied_rulings, top_manifest],  # in this order by their priorities
        jobs=[dg.define_asset_job(name, selection=list(RULING))],
        resources={"home": HomeResource.of(settings), "embedder": embedder_of(settings)},
        executor=dg.in_process_executor,
    )
    return own.resolve_job_def(name)

"""What Dagster loads: assembly only. `build_defs` gives tests and the command line the same graph."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

from facesets_dagster.assets._asset import in_job_order, record_edges_of
from facesets_dagster.assets._launchpad import with_pack_numbers
from facesets_dagster.assets.applied_rulings import applied_rulings
from facesets_dagster.assets.bucket_folder import bucket_folder
from facesets_dagster.assets.candidate_faces import candidate_faces
from facesets_dagster.assets.consumer_exports import consumer_exports
from facesets_dagster.assets.consumer_simulation import consumer_simulation
from facesets_dagster.assets.doubtful_faces import doubtful_faces
from facesets_dagster.assets.era_facesets import era_facesets
from facesets_dagster.assets.existing_centroids import existing_centroids
from facesets_dagster.assets.extended_facesets import extended_facesets
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.assets.face_landmarks import face_landmarks
from facesets_dagster.assets.faceset_completeness import faceset_completeness
from facesets_dagster.assets.first_look import first_look
from facesets_dagster.assets.hand_sorted_facesets import hand_sorted_facesets
from facesets_dagster.assets.legacy_library import legacy_library
from facesets_dagster.assets.library import library
from facesets_dagster.assets.library_duplicates import library_duplicates
from facesets_dagster.assets.merge_proposals import merge_proposals
from facesets_dagster.assets.osrc_clusters import osrc_clusters
from facesets_dagster.assets.osrc_uncovered import osrc_uncovered
from facesets_dagster.assets.pack_calibration import pack_calibration
from facesets_dagster.assets.refined_library import refined_library
from facesets_dagster.assets.review_queue import review_queue
from facesets_dagster.assets.rulings import rulings
from facesets_dagster.assets.swap_ready_facesets import swap_ready_facesets
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.assets.what_if import what_if
from facesets_dagster.automation.forgetting import forget
from facesets_dagster.automation.jobs import KNOWN_PEOPLE, build_asset_jobs, build_housekeeping, verification
from facesets_dagster.automation.schedules import build_nightly, build_nightly_rescan
from facesets_dagster.automation.sensors import (
    build_ended_run_sensor,
    build_failed_run_sensor,
    build_new_bucket_sensor,
    dead_run_sensor,
    ruling_sensor,
)
from facesets_dagster.embedding.thresholds import thresholds_by_files
from facesets_dagster.errors import ModelError, SettingsError
from facesets_dagster.files.access import Access, keep_access
from facesets_dagster.home import recorded_automation
from facesets_dagster.resources.console import print_warnings_only
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.fixed import fixed
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource
from facesets_dagster.resources.tables import TableIOManager
from facesets_dagster.settings import Settings, load_settings

ASSETS = (
    bucket_folder,
    face_cache,
    existing_centroids,
    osrc_uncovered,
    osrc_clusters,
    swap_ready_facesets,
    first_look,
    what_if,
    pack_calibration,
    legacy_library,
    hand_sorted_facesets,
    extended_facesets,
    refined_library,
    era_facesets,
    rulings,
    applied_rulings,
    library,
    top_manifest,
    candidate_faces,
    merge_proposals,
    library_duplicates,
    doubtful_faces,
    review_queue,
    faceset_completeness,
    face_landmarks,
    consumer_exports,
    consumer_simulation,
)
"""From the photos to the library, and from there to what reads it."""


def _with_numbers(embedder: EmbedderResource) -> Sequence[Any]:
    """The assets with the numbers of the home's pack in their launchpads; as they are where the pack is not there.

    What is missing then is said by the first step that needs it, and by `facesets doctor`.
    """
    try:
        if any(file is not None and file.exists() for file in (embedder.calibration_file(), embedder.ruled_file())):
            return with_pack_numbers(ASSETS, embedder.thresholds())
        numbers = thresholds_by_files(path.name for path in embedder.folder().glob("*.onnx"))
    except (ModelError, SettingsError):
        return ASSETS
    return with_pack_numbers(ASSETS, numbers)


def build_defs(
    settings: Settings,
    *,
    terminal: int | None = None,
    overrides: Mapping[str, dg.ConfigurableResource[Any]] | None = None,
) -> dg.Definitions:
    """All definitions for one home.

    `terminal`: file descriptor to draw a progress bar on. `overrides`: resources to use instead, by key.
    """
    on, housekeeping = recorded_automation(settings), build_housekeeping(settings)
    configured: dict[str, Any] = {
        "home": HomeResource.of(settings),
        "embedder": EmbedderResource.of(settings),
        "progress": ProgressResource(terminal=terminal),
        "tables": TableIOManager(folder=str(settings.tables_dir)),
        **(overrides or {}),
    }
    resources = {key: fixed(resource) for key, resource in configured.items()}
    # What the main job always runs first is upstream in the graph too; the other orders belong to their jobs.
    assets = _with_numbers(configured["embedder"])
    graph = in_job_order(assets, [KNOWN_PEOPLE] if settings.join_known else [])
    # In-process also for runs started from the lineage page, which belong to no job: the model is loaded once.
    executor = dg.in_process_executor

    def resolved(job: Any, names: Collection[str]) -> dg.JobDefinition:
        """A job runs its optional assets first; in the graph those are not upstream of what works without them."""
        own = dg.Definitions(assets=in_job_order(assets, names), jobs=[job], resources=resources, executor=executor)
        return record_edges_of(graph, own.resolve_job_def(job.name))

    jobs = build_asset_jobs(join_known=settings.join_known)
    return dg.Definitions(
        assets=graph,
        jobs=[*(resolved(job, names) for job, names in jobs), housekeeping, verification, forget],
        sensors=[
            build_new_bucket_sensor(settings.job, settle_seconds=settings.settle_seconds, on=on),
            build_failed_run_sensor(settings),
            build_ended_run_sensor(settings),
            dead_run_sensor,
            ruling_sensor,
        ],
        schedules=[
            build_nightly_rescan(settings.job, on=on),
            *(build_nightly(job, on=on) for job in (housekeeping, verification)),
        ],
        resources=resources,
        executor=executor,
    )


print_warnings_only()
_settings = load_settings()
keep_access(Access.of(_settings.share_group))
defs = build_defs(_settings)

"""Runs of the code location's jobs in this process: what `facesets run`, `label` and `what-if` start.

A run has the origin of the code location that `workspace.yaml` names, so that it stands in the Timeline, below its job
and with its buttons, and run-status sensors see it: `execute_in_process` of Dagster 1.13 leaves the origin out. A run
that a person interrupts ends as canceled.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.execution.api import execute_run_iterator
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

import facesets_dagster
from facesets_dagster.resources.interruptions import INTERRUPTIONS, interruptions_that_arrive
from facesets_dagster.resources.run_process import STARTED_BY

MODULE, ATTRIBUTE = "facesets_dagster.definitions", "defs"
"""The code location, as in `workspace.yaml`."""
_INTERRUPTS = {kind.__name__ for kind in INTERRUPTIONS}


@dataclass(frozen=True)
class FinishedRun:
    """A run that is over."""

    run_id: str
    success: bool
    interrupted: bool
    """By a person (Ctrl-C, Terminate)."""
    failures: tuple[dg.DagsterEvent, ...]
    """Of steps, the first one first."""
    metadata: dict[str, dict[str, Any]]
    """Asset -> values of the metadata of its materialization."""


def run_job(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    *,
    partition_key: str | None = None,
    assets: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> FinishedRun:
    """Runs a job of the code location, or only these assets of it. Logs are kept by Dagster and not printed.

    Raises `dagster.DagsterInvalidConfigError` for run config that does not fit; a step that fails raises nothing.
    """
    run = created_run(
        job,
        instance,
        partition_key=partition_key,
        assets=assets,
        config={**(config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={STARTED_BY: "command line", **(tags or {})},
    )
    events = []
    with interruptions_that_arrive():
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            events.append(event)
            if is_interrupt(event):  # otherwise Dagster takes the end for a failure
                instance.report_run_canceling(run, "A person ended the run.")
    return finished_run(run.run_id, events)


def created_run(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    *,
    partition_key: str | None,
    assets: Collection[str],
    config: Mapping[str, Any],
    tags: Mapping[str, str],
) -> dg.DagsterRun:
    """A run of the job, or of only these assets of it, that has not begun. Raises what `run_job` raises."""
    selection = frozenset(dg.AssetKey(name) for name in assets) or None
    return instance.create_run_for_job(
        job.get_subset(asset_selection=selection) if selection else job,
        run_config=config,
        tags={**job.run_tags, **tags, **_partition_tags(job, partition_key, instance)},
        asset_selection=selection,
        remote_job_origin=remote_origin(job.name),
        job_code_origin=_code_origin(job.name),
    )


def remote_origin(job: str) -> RemoteJobOrigin:
    """Where Dagster's web server finds the job."""
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name=MODULE, attribute=ATTRIBUTE, working_directory=_working_directory()
    )
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME), job)


def is_interrupt(event: dg.DagsterEvent) -> bool:
    """True if a person ended the step, or the run before its first one."""
    error = None
    if event.is_step_failure:
        error = event.step_failure_data.error
    elif event.is_run_failure:  # before the first step
        error = event.job_failure_data.error
    return error is not None and error.cls_name in _INTERRUPTS


def _code_origin(job: str) -> JobPythonOrigin:
    pointer = ModuleCodePointer(MODULE, ATTRIBUTE, _working_directory())
    repository = RepositoryPythonOrigin(sys.executable, pointer, entry_point=DEFAULT_DAGSTER_ENTRY_POINT)
    return JobPythonOrigin(job, repository)


def _working_directory() -> str:
    return str(Path(facesets_dagster.__file__).parents[1])


def _partition_tags(
    job: dg.JobDefinition, partition_key: str | None, instance: dg.DagsterInstance
) -> Mapping[str, str]:
    if partition_key is None:
        return {}
    with partition_loading_context(dynamic_partitions_store=instance):
        return job.get_tags_for_partition_key(partition_key, selected_asset_keys=None)


def finished_run(run_id: str, events: Sequence[dg.DagsterEvent]) -> FinishedRun:
    """What the events of a run tell: of its steps' failures, its assets and its end."""
    results = [event.step_materialization_data for event in events if event.is_step_materialization]
    return FinishedRun(
        run_id=run_id,
        success=any(event.event_type == dg.DagsterEventType.RUN_SUCCESS for event in events),
        interrupted=any(
            is_interrupt(event) or event.event_type == dg.DagsterEventType.RUN_CANCELED for event in events
        ),
        failures=tuple(event for event in events if event.is_step_failure),
        metadata={
            result.materialization.asset_key.to_user_string(): {
                key: value.value for key, value in result.materialization.metadata.items()
            }
            for result in results
        },
    )

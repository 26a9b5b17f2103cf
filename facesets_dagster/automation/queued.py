"""Runs of the code location's jobs through the instance's queue: what `facesets run --launch` starts.

The daemon takes them from the queue and its launcher starts them, on this machine or another one.
"""

import time
from collections.abc import Collection, Iterator
from typing import Any, cast

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator

from facesets_dagster.automation.in_process import FinishedRun, created_run, finished_run
from facesets_dagster.errors import SettingsError
from facesets_dagster.resources.run_process import QUEUED_BY

_DAEMON = "QUEUED_RUN_COORDINATOR"
_HEARTBEAT_SECONDS = 120
"""Age of its last heartbeat at which the daemon is taken for gone; it sends one each 30 s."""
_POLL_SECONDS = 1.0
_TOLD = {
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
}


def require_queue(instance: dg.DagsterInstance) -> None:
    """Raises `SettingsError` if the instance has no queue, or no daemon that takes runs from it."""
    if not isinstance(instance.run_coordinator, QueuedRunCoordinator):
        found = type(instance.run_coordinator).__name__
        raise SettingsError(
            f"The run coordinator in dagster.yaml is {found}, expected QueuedRunCoordinator, which is Dagster's own "
            "default. Remove `run_coordinator` there. Nothing was queued."
        )
    heartbeat = instance.get_daemon_heartbeats().get(_DAEMON)
    if heartbeat is None or abs(time.time() - heartbeat.timestamp) > _HEARTBEAT_SECONDS:
        raise SettingsError(
            "No Dagster daemon takes runs from the queue. Start one with this home (`make dev`, or `dagster-daemon "
            "run` with its DAGSTER_HOME), then run this again. Nothing was queued."
        )


def queue_job(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    *,
    partition_key: str | None,
    assets: Collection[str] = (),
    config: dict[str, Any],
) -> str:
    """Puts a run of the job, or of only these assets of it, into the queue and returns its id."""
    run = created_run(
        job,
        instance,
        partition_key=partition_key,
        assets=assets,
        config=config,
        tags={QUEUED_BY: "command line"},
    )
    instance.submit_run(run.run_id, workspace=cast("Any", None))  # the queue's coordinator only writes it down
    return run.run_id


def finished_runs(instance: dg.DagsterInstance, run_ids: Collection[str]) -> Iterator[FinishedRun]:
    """The runs in the order in which they end; waits for them."""
    waiting = set(run_ids)
    while waiting:
        ended = [run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=list(waiting))) if run.is_finished]
        for run_id in ended:
            waiting.discard(run_id)
            entries = instance.all_logs(run_id, of_type=_TOLD)
            yield finished_run(run_id, [entry.dagster_event for entry in entries if entry.dagster_event is not None])
        if waiting:
            time.sleep(_POLL_SECONDS)

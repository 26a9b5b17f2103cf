"""Runs without a process: Dagster 1.13 leaves them "started" for ever, and they block the queue.

Every run notes its process as a tag (`note_process`, by the home resource). `end_dead_runs` fails those of this machine
that no longer live; the sensor `dead_run_sensor` and the command line call it.
"""

import os
import socket
from pathlib import Path

import dagster as dg
import psutil

from facesets_dagster.library.audit import note_deed, user_here
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.unfinished import KILLED, note_unfinished
from facesets_dagster.settings import JOBS

PROCESS_TAG = "facesets/process"
STARTED_BY = "facesets/started_by"
"""Tag of runs that a command started, at a terminal whose Ctrl-C ends them."""
_STARTERS = {
    STARTED_BY: "cli",
    "dagster/sensor_name": "sensor",
    "dagster/schedule_name": "schedule",
    "dagster/backfill": "backfill",
}
"""Tag -> what started the run; a run without any comes from the browser or another client of the web server."""
_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def this_process() -> str:
    """Machine, process id and its start, so that a number that was given again is not taken for the old process."""
    return _spelled(os.getpid())


def note_process(instance: dg.DagsterInstance, run_id: str) -> None:
    """Writes down which process works on a run."""
    instance.add_run_tags(run_id, {PROCESS_TAG: this_process()})


def note_run(home: Path, run: dg.DagsterRun) -> None:
    """A line in the audit log: which run begins, of what, and what started it."""
    tags = run.tags
    via = next((words for tag, words in _STARTERS.items() if tag in tags), "ui")
    starter = tags.get("dagster/sensor_name") or tags.get("dagster/schedule_name")
    of = {"run_id": run.run_id, "job": run.job_name, "bucket": tags.get("dagster/partition"), "starter": starter}
    note_deed(home, "run", who=user_here(), via=via, **{key: value for key, value in of.items() if value is not None})


def end_dead_runs(instance: dg.DagsterInstance, registry: Registry) -> list[str]:
    """Marks runs as failed if their process on this machine is gone, their buckets as unfinished; returns their ids."""
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and _is_gone(process):
            instance.report_run_failed(
                run,
                f"Its process ({process}) is gone: killed, or the machine went down. What was finished is kept; the "
                "next run of the bucket goes on from there.",
            )
            bucket = run.tags.get("dagster/partition")
            if bucket is not None and run.job_name in JOBS:
                note_unfinished(registry, [bucket], run.run_id, KILLED)
            ended.append(run.run_id)
    return ended


def _spelled(pid: int) -> str:
    return f"{socket.gethostname()}/{pid}/{psutil.Process(pid).create_time():.0f}"


def _is_gone(process: str) -> bool:
    host, pid, _ = process.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    try:
        return _spelled(int(pid)) != process
    except psutil.NoSuchProcess:
        return True

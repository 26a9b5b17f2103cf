"""Runs without a process: Dagster 1.13 leaves them "started" for ever, and they block the queue.

Every run notes its process as a tag, and the process holds a lock of its own until it ends (`note_process`, by the
home resource). `end_dead_runs` fails runs whose process no longer lives; the sensor `dead_run_sensor` and the command
line call it. A process of this boot and container is looked up by its number; of any other its lock tells.
"""

import atexit
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
from filelock import FileLock, Timeout

from facesets_dagster.files.machine import place_of_processes
from facesets_dagster.library.audit import note_deed, user_here
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.unfinished import KILLED, note_unfinished
from facesets_dagster.settings import JOBS

PROCESS_TAG = "facesets/process"
STARTED_BY = "facesets/started_by"
"""Tag of runs that a command started, at a terminal whose Ctrl-C ends them."""
QUEUED_BY = "facesets/queued_by"
"""Tag of runs that a command put into the queue; they go on without it."""
_STARTERS = {
    STARTED_BY: "cli",
    QUEUED_BY: "cli",
    "dagster/sensor_name": "sensor",
    "dagster/schedule_name": "schedule",
    "dagster/backfill": "backfill",
}
"""Tag -> what started the run; a run without any comes from the browser or another client of the web server."""
_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass
class _Held:
    """The lock of this process; it works in one home at a time."""

    lock: FileLock | None = None
    pid: int = 0


_HELD = _Held()


def this_process() -> str:
    """Machine, place of processes, process id and its start: a number that was given again is another process."""
    return _spelled(os.getpid())


def note_process(instance: dg.DagsterInstance, run_id: str) -> None:
    """Writes down which process works on a run; from then on the process holds its lock."""
    process = this_process()
    lock = _lock_of(instance, process)
    if _HELD.lock is None or _HELD.lock.lock_file != lock.lock_file:
        give_up_lock()
        lock.acquire(timeout=0)
        _HELD.lock, _HELD.pid = lock, os.getpid()
    instance.add_run_tags(run_id, {PROCESS_TAG: process})


@atexit.register
def give_up_lock() -> None:
    """The process works on no run any more. A child that was forked leaves its parent's lock alone."""
    held, _HELD.lock = _HELD.lock, None
    if held is not None and _HELD.pid == os.getpid():
        _give_up(held)


def note_run(home: Path, run: dg.DagsterRun) -> None:
    """A line in the audit log: which run begins, of what, and what started it."""
    tags = run.tags
    via = next((words for tag, words in _STARTERS.items() if tag in tags), "ui")
    starter = tags.get("dagster/sensor_name") or tags.get("dagster/schedule_name")
    of = {"run_id": run.run_id, "job": run.job_name, "bucket": tags.get("dagster/partition"), "starter": starter}
    note_deed(home, "run", who=user_here(), via=via, **{key: value for key, value in of.items() if value is not None})


def end_dead_runs(instance: dg.DagsterInstance, registry: Registry) -> list[str]:
    """Marks runs as failed if their process is gone, their buckets as unfinished; returns their ids.

    Runs of other machines are left to Dagster's run monitoring.
    """
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and _is_gone(instance, process):
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
    return f"{socket.gethostname()}/{place_of_processes()}/{pid}/{psutil.Process(pid).create_time():.0f}"


def _is_gone(instance: dg.DagsterInstance, process: str) -> bool:
    host, *place, pid, start = process.split("/")
    if place == [place_of_processes()] or (not place and host == socket.gethostname()):  # without: of an earlier state
        try:
            return f"{psutil.Process(int(pid)).create_time():.0f}" != start
        except psutil.NoSuchProcess:
            return True
    return host == socket.gethostname() and _is_free(_lock_of(instance, process))


def _is_free(lock: FileLock) -> bool:
    """Whether nobody holds it any more; what was never taken is not known to be."""
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    _give_up(lock)
    return True


def _give_up(lock: FileLock) -> None:
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _lock_of(instance: dg.DagsterInstance, process: str) -> FileLock:
    folder = Path(instance.root_directory) / "processes"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{process.replace('/', '-')}.lock")

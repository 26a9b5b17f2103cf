"""What became of the runs that were requested for a bucket, as Dagster has it on record.

Requests carry the state of the folder that they were made for (`FOLDER_STATE`) and their number (`ATTEMPT`): Dagster
starts a run key once, so a run that did not start is requested again under the next one.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from facesets_dagster.automation.news import Attempts, room
from facesets_dagster.errors import LibraryError
from facesets_dagster.wording import counted

FOLDER_STATE, ATTEMPT = "facesets/folder_state", "facesets/attempt"
"""Tags of requested runs. A state begins with the key of its bucket and a colon."""
_PARTITION = "dagster/partition"
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 500
"""Tag values in a query."""
_MAX_REASON = 200


def buckets_under_way(instance: dg.DagsterInstance, jobs: Collection[str]) -> set[str]:
    """Buckets for which a run of these jobs is queued or at work."""
    unfinished = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    runs = instance.get_runs(dg.RunsFilter(statuses=unfinished))
    tagged = {run.tags[FOLDER_STATE].split(":")[0] for run in runs if FOLDER_STATE in run.tags}
    return tagged | {run.tags[_PARTITION] for run in runs if run.job_name in jobs and _PARTITION in run.tags}


def runs_under_way(instance: dg.DagsterInstance) -> list[str]:
    """Ids of all runs that are queued or at work."""
    unfinished = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    return sorted(run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=unfinished)))


def room_in_queue(instance: dg.DagsterInstance) -> int:
    """How many more runs Dagster's queue is to hold; nothing is gained by runs that wait longer than others take."""
    queue = instance.get_concurrency_config().run_queue_config
    waiting = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
    queued = instance.get_runs_count(dg.RunsFilter(statuses=waiting))
    return room((queue.max_concurrent_runs if queue else None) or 1, queued)


def require_rest(instance: dg.DagsterInstance, but: str | None = None) -> None:
    """Raises `LibraryError` while other runs are queued or at work. `but`: the run that asks."""
    runs = [one for one in runs_under_way(instance) if one != but]
    if runs:
        raise LibraryError(
            f"{counted(len(runs), 'run')} of this home {'is' if len(runs) == 1 else 'are'} under way ({runs[0]}). Wait "
            "for the end, or end them in the Dagster UI, and stop `make dev` meanwhile. Nothing was changed."
        )


def attempts_for(
    instance: dg.DagsterInstance, states: Mapping[str, str]
) -> tuple[dict[str, Attempts], dict[str, dg.RunRecord]]:
    """Bucket -> its finished runs for this state of its folder, and the last one of them; only those with one."""
    bucket_of, values = {state: bucket for bucket, state in states.items()}, list(states.values())
    found: dict[str, list[dg.RunRecord]] = defaultdict(list)
    for start in range(0, len(values), _AT_ONCE):
        wanted = dg.RunsFilter(tags={FOLDER_STATE: values[start : start + _AT_ONCE]}, statuses=FINISHED)
        for record in instance.get_run_records(wanted):
            found[bucket_of[record.dagster_run.tags[FOLDER_STATE]]].append(record)
    last = {bucket: max(records, key=_ended) for bucket, records in found.items()}
    return {bucket: Attempts(len(records), _ended(last[bucket])) for bucket, records in found.items()}, last


def reason_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> str:
    """Why the run came to nothing, in a line."""
    run = record.dagster_run
    kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}
    said = ""
    for entry in instance.all_logs(run.run_id, of_type=kinds):
        event = entry.dagster_event
        error = event.engine_event_data.error if event and event.is_engine_event else None
        if error is not None:
            return _in_a_line(error.message)
        said = entry.message if event and not event.is_engine_event else said
    return _in_a_line(said or f"run {run.run_id} ended as {run.status.value.lower()}")


def request_of(
    bucket: str, state: str, last: dg.RunRecord | None, assets: Sequence[str] | None = None
) -> dg.RunRequest:
    """The request for a bucket in this state; `assets`: instead of a partition, only these of the job."""
    number = 1 + (int(last.dagster_run.tags.get(ATTEMPT, "0")) if last else 0)
    return dg.RunRequest(
        f"{state}:{number}",
        tags={FOLDER_STATE: state, ATTEMPT: str(number)},
        partition_key=None if assets else bucket,
        asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
    )


def _ended(record: dg.RunRecord) -> float:
    """Seconds since the epoch; a run that did not start has no end of its own."""
    return record.end_time or record.update_timestamp.timestamp()


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_REASON]

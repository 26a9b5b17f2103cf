"""The sensors: one finds changed bucket folders (by `news.decide`) and requests runs, two handle failed runs,
one reports what was decided.
"""

import time
from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from facesets_dagster.assets._versions import folder_observation
from facesets_dagster.assets.rulings import observe_rulings
from facesets_dagster.automation.hooks import note_failure, run_hook
from facesets_dagster.automation.in_process import is_interrupt
from facesets_dagster.automation.news import (
    BucketState,
    Cursor,
    in_turn,
    is_news,
    names,
    read_cursor,
    state_of,
    story,
    write_cursor,
)
from facesets_dagster.automation.tick import look
from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET, without_partition
from facesets_dagster.photos.bucket_key import HAND_SORTED, LIBRARY
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rulings import rulings_written
from facesets_dagster.registry.unfinished import BY_A_PERSON, WITH_THE_SERVER
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.run_process import end_dead_runs
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

LISTING_SECONDS = 10.0
"""So long a tick lists folders, and one at least; the next tick goes on with the others."""


def build_new_bucket_sensor(job: str, *, settle_seconds: float, on: bool) -> dg.SensorDefinition:
    """The sensor; `job`: name of what it runs; `on`: running unless someone stops it."""

    @dg.sensor(
        job_name=job,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
        description=(
            "Looks for bucket folders that are new or changed and have been quiet for "
            f"{settle_seconds:g} seconds, makes partitions of them and runs {job}, as many as the queue has room for. "
            "With full_pipeline, a change in the hand-sorted folders counts as a change of every bucket."
        ),
    )
    def new_bucket_sensor(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
        # A root that cannot be listed raises: the tick shows the error, and nothing is taken for empty.
        folders = home.buckets()
        by_hand = [HAND_SORTED] if job == "full_pipeline" and home.hand_sorted_root else []
        registry, before = home.library().registry, read_cursor(context.cursor)
        states, unreadable, left = _states(home, [*by_hand, *in_turn(folders, before.first)])
        marked = _mark_by_hand(registry, states, folders, before.by_hand, settle_seconds)
        if folders:
            states.pop(HAND_SORTED, None)
        tick = look(context.instance, registry, states, marked, settle_seconds)
        told = story(tick.decision, tick.reasons, len(left))
        if unreadable and not (tick.decision.run or left) and marked == before.by_hand:
            raise BucketError("\n".join([*unreadable, told]))
        for text in unreadable:
            context.log.error(text)
        context.log.info(told)
        new = without_partition(context.instance, [bucket for bucket in tick.decision.run if bucket != HAND_SORTED])
        return dg.SensorResult(
            run_requests=tick.requests,
            skip_reason=None if tick.requests else told,
            dynamic_partitions_requests=[SOURCE_BUCKET.build_add_request(new)] if new else [],
            asset_events=[
                folder_observation(bucket, states[bucket].digest) for bucket in tick.decision.run if bucket in folders
            ],
            cursor=write_cursor(Cursor(marked, next(iter([*tick.decision.waiting, *left]), None))),
        )

    return new_bucket_sensor


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Marks runs as failed if their process is gone (killed, power cut), so that they do not block the queue. "
        "Nothing is lost: the next run of the bucket continues from there."
    ),
)
def dead_run_sensor(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SkipReason:
    """Ends runs without a process; requests none."""
    ended = end_dead_runs(context.instance, home.library().registry)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "every run that is under way has its process")


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reports which rulings the buckets are subject to, whoever wrote or took back some, so that applied_rulings is "
        "marked as out of date until they are applied. Starts nothing."
    ),
)
def ruling_sensor(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
    """Looks only after rulings were written or taken back; requests no run."""
    library = home.library()
    written = str(rulings_written(library.registry))
    changed = [] if written == (context.cursor or "0") else observe_rulings(context.instance, library)
    told = f"other rulings on {counted(len(changed), 'bucket')}: {names(changed)}" if changed else "no other rulings"
    return dg.SensorResult(skip_reason=told, cursor=written)


def build_failed_run_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that enters every failed run into the report index and starts the user's command."""

    @dg.run_failure_sensor(
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Enters every failed run into reports/index.html and runs the command of FACESETS_ON_FAILURE, if there is "
            "one, with FACESETS_FAILED_BUCKET, FACESETS_FAILED_RUN and FACESETS_FAILED_ERROR in its environment."
        ),
    )
    def failed_run_sensor(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        bucket = _bucket_of(run)
        events = [event for event in context.get_step_failure_events() if event.step_failure_data.error]
        error = failure_in_words(events[0]) if events else context.failure_event.message or "the run failed"
        note_failure(settings.reports_dir, bucket, run.run_id, error, job=job_in_words(run))
        if settings.on_failure:
            run_hook(settings.on_failure, bucket, run.run_id, error)

    return failed_run_sensor


def build_ended_run_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that enters every run that a person ended into the report index."""

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.CANCELED,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Enters every run that was ended by a person (Terminate, Ctrl-C) into reports/index.html.",
    )
    def ended_run_sensor(context: dg.RunStatusSensorContext) -> None:
        run = context.dagster_run
        why = f"{BY_A_PERSON}; what was finished is kept"
        note_failure(settings.reports_dir, _bucket_of(run), run.run_id, why, job=job_in_words(run))

    return ended_run_sensor


def job_in_words(run: dg.DagsterRun) -> str:
    """The job; for assets that were chosen in the UI, what Dagster calls `__ASSET_JOB`, these."""
    chosen = sorted(key.to_user_string() for key in run.asset_selection or ())
    if not run.job_name.startswith("__"):
        return run.job_name
    return f"materialize {', '.join(chosen)}" if chosen else "materialize all"


def _bucket_of(run: dg.DagsterRun) -> str:
    """Where the report index lists the run."""
    return run.tags.get("dagster/partition", LIBRARY)


def failure_in_words(event: dg.DagsterEvent) -> str:
    """What a failed step says: the message that teaches, else the whole error."""
    if is_interrupt(event):
        return f"{WITH_THE_SERVER}; the next run of the bucket continues from there"
    failure = event.step_failure_data
    described = failure.user_failure_data.description if failure.user_failure_data else None
    return described or (failure.error.to_string() if failure.error else "the step failed without a word")


def _states(home: HomeResource, keys: Sequence[str]) -> tuple[dict[str, BucketState], list[str], Sequence[str]]:
    """What each looks like now, why others cannot be listed, and those that `LISTING_SECONDS` were too short for."""
    states, unreadable, began = dict[str, BucketState](), list[str](), time.monotonic()
    for number, key in enumerate(keys):
        if time.monotonic() - began > LISTING_SECONDS and len(states) > (HAND_SORTED in states):
            return states, unreadable, keys[number:]
        try:
            states[key] = state_of(home.listing(key), time.time())
        except BucketError as error:
            unreadable.append(str(error))
    return states, unreadable, ()


def _mark_by_hand(
    registry: Registry,
    states: Mapping[str, BucketState],
    folders: Collection[str],
    marked: str | None,
    settle_seconds: float,
) -> str | None:
    """Marks every bucket as stale once for each settled state of the hand-sorted folders; gives the last one of these.

    A person of those folders may be in any bucket.
    """
    state = states.get(HAND_SORTED)
    if state is None or state.quiet_seconds < settle_seconds or marked == state.digest:
        return marked
    if not is_news(state, registry.folder_digest(HAND_SORTED)):
        return marked
    registry.mark_stale(folders)
    return state.digest

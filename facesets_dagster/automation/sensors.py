"""The sensors: one finds changed bucket folders (by `news.decide`) and requests runs, two handle failed runs."""

import time
from collections.abc import Mapping, Sequence

import dagster as dg

from facesets_dagster.automation.hooks import note_failure, run_hook
from facesets_dagster.automation.news import BucketState, SensorDecision, decide, read_cursor, state_of, write_cursor
from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.run_process import end_dead_runs
from facesets_dagster.settings import Settings

BY_HAND = ("legacy_library", "hand_sorted_facesets", "existing_centroids")
"""What is run of `full_pipeline` for the hand-sorted folders where there is no bucket."""


def build_new_bucket_sensor(job: str, *, settle_seconds: float, on: bool) -> dg.SensorDefinition:
    """The sensor; `job`: name of what it runs; `on`: running unless someone stops it."""

    @dg.sensor(
        job_name=job,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
        description=(
            "Looks for bucket folders that are new or changed and have been quiet for "
            f"{settle_seconds:g} seconds, makes partitions of them and runs {job}; at most 25 a tick. "
            "With full_pipeline, a change in the hand-sorted folders counts as a change of every bucket."
        ),
    )
    def new_bucket_sensor(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
        # A root that cannot be listed raises: the tick shows the error, and nothing is taken for empty.
        folders = home.buckets()
        by_hand = [HAND_SORTED] if job == "full_pipeline" and home.hand_sorted_root else []
        states, unreadable = _states(home, [*folders, *by_hand])
        registry, requested = home.library().registry, read_cursor(context.cursor)
        # What the command line did since the last request counts as much as the request itself.
        done = {
            key: digest
            for key, digest in registry.folder_digests().items()
            if key in states and states[key].digest == digest
        }
        hand_sorted = {key: states.pop(key) for key in by_hand if key in states}
        news_by_hand = decide(hand_sorted, {**requested, **done}, settle_seconds=settle_seconds)
        if news_by_hand.run:  # a person of those folders may be in any bucket
            registry.mark_stale(folders)
            requested, done = {HAND_SORTED: news_by_hand.seen[HAND_SORTED]}, {}
        decision = decide(states, {**requested, **done}, settle_seconds=settle_seconds)
        if unreadable and not decision.run and not news_by_hand.run:
            raise BucketError("\n".join(unreadable))
        for text in unreadable:
            context.log.error(text)
        context.log.info(_story(decision, news_by_hand, len(folders)))
        known = set(context.instance.get_dynamic_partitions(str(SOURCE_BUCKET.name)))
        new = [bucket for bucket in decision.run if bucket not in known]
        alone = bool(news_by_hand.run) and not folders
        return dg.SensorResult(
            run_requests=_requests(decision, states, requested.get(HAND_SORTED), alone=alone),
            dynamic_partitions_requests=[SOURCE_BUCKET.build_add_request(new)] if new else [],
            cursor=write_cursor(decision.seen),
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
def dead_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Ends runs without a process; requests none."""
    ended = end_dead_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "every run that is under way has its process")


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
        bucket = run.tags.get("dagster/partition", run.job_name)
        events = [event for event in context.get_step_failure_events() if event.step_failure_data.error]
        error = failure_in_words(events[0]) if events else context.failure_event.message or "the run failed"
        note_failure(settings.reports_dir, bucket, run.run_id, error)
        if settings.on_failure:
            run_hook(settings.on_failure, bucket, run.run_id, error)

    return failed_run_sensor


def failure_in_words(event: dg.DagsterEvent) -> str:
    """What a failed step says: the message that teaches, else the whole error."""
    failure = event.step_failure_data
    described = failure.user_failure_data.description if failure.user_failure_data else None
    return described or (failure.error.to_string() if failure.error else "the step failed without a word")


def _states(home: HomeResource, keys: Sequence[str]) -> tuple[dict[str, BucketState], list[str]]:
    """What each looks like now, and why others cannot be listed."""
    states, unreadable = dict[str, BucketState](), list[str]()
    for key in keys:
        try:
            states[key] = state_of(home.listing(key), time.time())
        except BucketError as error:
            unreadable.append(str(error))
    return states, unreadable


def _requests(
    decision: SensorDecision, states: Mapping[str, BucketState], by_hand: str | None, *, alone: bool
) -> list[dg.RunRequest]:
    """Dagster starts a run key once, so it holds the last requested state of the hand-sorted folders, if any.

    `alone`: those folders have to be run without a bucket.
    """
    requested = "" if by_hand is None else f":{by_hand}"
    requests = [dg.RunRequest(f"{key}:{states[key].digest}{requested}", partition_key=key) for key in decision.run]
    if alone:
        chosen = [dg.AssetKey(name) for name in BY_HAND]
        requests.append(dg.RunRequest(f"{HAND_SORTED}{requested}", asset_selection=chosen))
    return requests


def _story(decision: SensorDecision, by_hand: SensorDecision, folders: int) -> str:
    parts = [f"{folders} bucket folders, {len(decision.run)} to run"]
    if by_hand.run:
        parts.append("the hand-sorted folders changed, so every bucket is run")
    if unsettled := [*by_hand.unsettled, *decision.unsettled]:
        parts.append(f"still changing: {', '.join(unsettled[:10])}")
    if decision.waiting:
        parts.append(f"{decision.waiting} more at the next tick")
    return "; ".join(parts)

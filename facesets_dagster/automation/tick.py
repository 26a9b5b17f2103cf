"""A tick of the sensor over the buckets: what Dagster and the registry know of each, the decision, the requests."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from facesets_dagster.automation.attempts import attempts_for, buckets_under_way, reason_of, request_of, room_in_queue
from facesets_dagster.automation.jobs import BUCKET_JOBS, BY_HAND
from facesets_dagster.automation.news import BucketState, SensorDecision, Stopped, decide, is_news
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.unfinished import unfinished_runs


@dataclass(frozen=True)
class Tick:
    """What came of it."""

    decision: SensorDecision
    reasons: dict[str, str]
    """Bucket whose run did not start -> why."""
    requests: list[dg.RunRequest]


def look(
    instance: dg.DagsterInstance,
    registry: Registry,
    states: Mapping[str, BucketState],
    by_hand: str | None,
    settle_seconds: float,
) -> Tick:
    """Decides on these buckets. `by_hand`: state of the hand-sorted folders for which all were marked as stale."""
    done = registry.folder_digests(states)
    wanted = {
        bucket: ":".join(filter(None, (bucket, state.digest, by_hand)))
        for bucket, state in states.items()
        if is_news(state, done.get(bucket))
    }
    attempts, last = attempts_for(instance, wanted)
    decision = decide(
        states,
        done,
        under_way=buckets_under_way(instance, BUCKET_JOBS) if wanted else (),
        stopped={
            bucket: Stopped(run.since, run.reason)
            for bucket, run in unfinished_runs(registry).items()
            if not run.goes_on_by_itself
        },
        attempts=attempts,
        now=time.time(),
        settle_seconds=settle_seconds,
        limit=room_in_queue(instance),
    )
    return Tick(
        decision,
        {bucket: reason_of(instance, last[bucket]) for bucket in decision.paused},
        [
            request_of(bucket, wanted[bucket], last.get(bucket), BY_HAND if bucket == HAND_SORTED else None)
            for bucket in decision.run
        ],
    )

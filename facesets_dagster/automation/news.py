"""Which buckets are to be run: the sensor's decision, as a function of plain values. Knows nothing of Dagster.

A bucket is settled by what the registry says was published for the state of its folder, never by what was requested: a
run that did not start is asked for again, after a pause that grows. A run that failed or that a person ended is left
alone until its folder changes, and is begun again by hand or by the nightly schedule.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from facesets_dagster.photos.bucket_key import HAND_SORTED, bucket_title
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.wording import counted

LEAST_ROOM = 25
"""So many runs may wait in Dagster's queue, or four times those that run at once if that is more."""
A_NIGHT = 1_000
"""So many buckets are run at most by the nightly schedule; of more, as many each night in turn."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 3600.0
"""After a run that did not start; each further one doubles the pause."""
_DAY = 86_400.0
"""By so much the clock of a file server may be ahead."""
_MAX_NAMED = 10


@dataclass(frozen=True)
class BucketState:
    """What a bucket looks like at a tick."""

    digest: str
    photos: int
    quiet_seconds: float
    """Since the newest change of any of its photo files."""


@dataclass(frozen=True)
class Stopped:
    """How the last run of a bucket ended before its end."""

    since: float
    """Seconds since the epoch. A time ahead of the clock, which was set back, says nothing: the run is tried again."""
    reason: str


@dataclass(frozen=True)
class Attempts:
    """Finished runs that were requested for the present state of a bucket and did not bring it up."""

    count: int
    last_ended: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class SensorDecision:
    """What to do at a tick, and why nothing is done about other buckets."""

    run: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    """Changed, the last time less than `settle_seconds` ago."""
    under_way: tuple[str, ...] = ()
    stopped: Mapping[str, str] = field(default_factory=dict)
    """Bucket -> why its last run ended."""
    paused: Mapping[str, float] = field(default_factory=dict)
    """Bucket whose run did not start -> seconds until it is requested again."""
    waiting: tuple[str, ...] = ()
    """To be run, when there is room in the queue."""


def state_of(listing: BucketListing, now: float) -> BucketState:
    """The state of a listed bucket; `now` in seconds since the epoch. A time up to a day ahead counts as now."""
    return BucketState(listing.digest(), len(listing), max(now - listing.newest_change(now + _DAY), 0.0))


def is_news(state: BucketState, done: str | None) -> bool:
    """True if there are photos, and the library is not up to this state of the folder."""
    return state.photos > 0 and state.digest != done


def decide(
    states: Mapping[str, BucketState],
    done: Mapping[str, str],
    *,
    under_way: Collection[str] = (),
    stopped: Mapping[str, Stopped] | None = None,
    attempts: Mapping[str, Attempts] | None = None,
    now: float,
    settle_seconds: float,
    limit: int = LEAST_ROOM,
) -> SensorDecision:
    """Requests at most `limit` of the buckets with news that are quiet and that nothing speaks against, in their order.

    `done`: bucket -> state of its folder that the library is up to; `now` in seconds since the epoch.
    """
    settled, unsettled, working, run = list[str](), list[str](), list[str](), list[str]()
    ended, paused = dict[str, str](), dict[str, float]()
    for key, state in states.items():
        last, pause = (stopped or {}).get(key), _pause((attempts or {}).get(key), now)
        if not is_news(state, done.get(key)):
            settled.append(key)
        elif key in under_way:
            working.append(key)
        elif state.quiet_seconds < settle_seconds:
            unsettled.append(key)
        elif last is not None and now - state.quiet_seconds <= last.since <= now:
            ended[key] = last.reason
        elif pause > 0:
            paused[key] = pause
        else:
            run.append(key)
    return SensorDecision(
        run=tuple(run[:limit]),
        settled=tuple(settled),
        unsettled=tuple(unsettled),
        under_way=tuple(working),
        stopped=ended,
        paused=paused,
        waiting=tuple(run[limit:]),
    )


def _pause(attempts: Attempts | None, now: float) -> float:
    """Seconds from now until the bucket is requested again; 0 if it was not tried yet."""
    if attempts is None:
        return 0.0
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempts.count - 1, 10), LONGEST_PAUSE_SECONDS)
    return min(max(attempts.last_ended + pause - now, 0.0), pause)  # no longer, though the clock was set back


def room(at_once: int, queued: int) -> int:
    """How many runs may be requested. `at_once`: runs at the same time; `queued`: those that wait."""
    return max(max(LEAST_ROOM, 4 * at_once) - queued, 0)


def in_turn(buckets: Collection[str], first: str | None) -> list[str]:
    """The buckets by name, from `first` on and then from the beginning."""
    return sorted(buckets, key=lambda bucket: (bucket < (first or ""), bucket))


def of_a_night(buckets: Collection[str], unfinished: Collection[str], day: int) -> list[str]:
    """The buckets to run at night: all; of more than `A_NIGHT` the next ones in turn, and those with unfinished runs.

    `day`: a number that grows by 1 each night.
    """
    ordered = sorted(buckets)
    begin = day % max(-(-len(ordered) // A_NIGHT), 1) * A_NIGHT
    left = {bucket for bucket in sorted(unfinished)[:A_NIGHT] if bucket in buckets}
    return sorted({*ordered[begin : begin + A_NIGHT], *left})


def story(decision: SensorDecision, reasons: Mapping[str, str], left: int = 0) -> str:
    """What a tick saw, e.g. "2 settled, 1 still changing: weekend".

    `reasons`: why a run did not start. `left`: buckets that the tick did not look at.
    """
    parts = [f"{len(decision.run)} to run: {names(decision.run)}"] if decision.run else []
    parts += [f"{len(decision.settled)} settled"] if decision.settled else []
    lists = (
        ("still changing", decision.unsettled),
        ("under way", decision.under_way),
        ("when the queue has room", decision.waiting),
    )
    parts += [f"{len(found)} {word}: {names(found)}" for word, found in lists if found]
    others = decision.paused or decision.stopped
    lines = [", ".join(parts) or ("no bucket folder is to be run" if others else "no bucket folder with photos")]
    for bucket, seconds in list(decision.paused.items())[:_MAX_NAMED]:
        pause = counted(max(round(seconds / 60), 1), "minute")
        lines.append(f"{bucket_title(bucket)}: its run came to nothing ({reasons[bucket]}); next try in {pause}")
    for bucket, reason in list(decision.stopped.items())[:_MAX_NAMED]:
        title = bucket_title(bucket)
        lines.append(
            f"{title}: its last run was not finished ({reason}); it is run again when its folder changes, every night, "
            f"by `facesets run '{title}'` or Re-execute"
        )
    unnamed = sum(max(len(found) - _MAX_NAMED, 0) for found in (decision.paused, decision.stopped))
    lines += [f"and {counted(unnamed, 'more bucket')} of these kinds"] if unnamed else []
    lines += [f"the next ticks look at {counted(left, 'more bucket folder')}"] if left else []
    return "\n".join(lines)


def names(buckets: Sequence[str]) -> str:
    """The names of their folders, at most ten."""
    shown = ", ".join(bucket_title(bucket) for bucket in buckets[:_MAX_NAMED])
    return shown + (f" and {len(buckets) - _MAX_NAMED} more" if len(buckets) > _MAX_NAMED else "")


@dataclass(frozen=True)
class Cursor:
    """What a tick leaves for the next one. The states of buckets are not in it: the registry has them."""

    by_hand: str | None = None
    """State of the hand-sorted folders for which every bucket was marked as stale."""
    first: str | None = None
    """Bucket that the next tick looks at first; None: the first by name."""


def read_cursor(text: str | None) -> Cursor:
    """The cursor; an unreadable one counts as empty, which costs runs that find nothing to do."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return Cursor()
    if not isinstance(value, dict):
        return Cursor()
    found = {name: value.get(name) for name in ("by_hand", "first")}
    found["by_hand"] = found["by_hand"] or value.get(HAND_SORTED)  # as releases until 0.1.0 wrote it
    return Cursor(**{name: text if isinstance(text, str) else None for name, text in found.items()})


def write_cursor(cursor: Cursor) -> str:
    """The cursor as text."""
    return json.dumps({name: text for name, text in asdict(cursor).items() if text is not None}, separators=(",", ":"))

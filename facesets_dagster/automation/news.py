"""Which buckets have changed: the sensor's decision, as a function of plain values. Knows nothing of Dagster."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from facesets_dagster.photos.listing import BucketListing

MAX_REQUESTS_PER_TICK = 25
_DAY = 86_400.0
"""By so much the clock of a file server may be ahead."""


@dataclass(frozen=True)
class BucketState:
    """What a bucket looks like at a tick."""

    digest: str
    photos: int
    quiet_seconds: float
    """Since the newest change of any of its photo files."""


@dataclass(frozen=True)
class SensorDecision:
    """What to do at a tick."""

    run: tuple[str, ...]
    unsettled: tuple[str, ...]
    """Changed, the last time less than `settle_seconds` ago."""
    waiting: int
    """Changed and quiet, beyond this tick's limit."""
    seen: dict[str, str]
    """The new cursor: bucket -> digest for which a run was requested."""


def state_of(listing: BucketListing, now: float) -> BucketState:
    """The state of a listed bucket; `now` in seconds since the epoch. A time up to a day ahead counts as now."""
    return BucketState(listing.digest(), len(listing), max(now - listing.newest_change(now + _DAY), 0.0))


def decide(
    states: Mapping[str, BucketState],
    seen: Mapping[str, str],
    *,
    settle_seconds: float,
    limit: int = MAX_REQUESTS_PER_TICK,
) -> SensorDecision:
    """Buckets with photos whose digest differs from the one last requested and which are quiet; at most `limit`.

    An absent bucket stays in the cursor, so that a disk that comes back does not count as a change.
    """
    news = [key for key, state in sorted(states.items()) if state.photos and seen.get(key) != state.digest]
    settled = [key for key in news if states[key].quiet_seconds >= settle_seconds]
    run = settled[:limit]
    return SensorDecision(
        run=tuple(run),
        unsettled=tuple(key for key in news if key not in set(settled)),
        waiting=len(settled) - len(run),
        seen={**seen, **{key: states[key].digest for key in run}},
    )


def read_cursor(text: str | None) -> dict[str, str]:
    """The cursor as a mapping; an unreadable one counts as empty, which costs runs that find nothing to do."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(key): str(digest) for key, digest in value.items()} if isinstance(value, dict) else {}


def write_cursor(seen: Mapping[str, str]) -> str:
    """The cursor as text."""
    return json.dumps(dict(sorted(seen.items())), separators=(",", ":"))

"""How each bucket stands: its folder now against what the library was last brought up to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.unfinished import UnfinishedRun, unfinished_runs

State = Literal["new", "stale", "unfinished", "up to date", "unreadable", "absent"]


@dataclass(frozen=True)
class BucketStanding:
    """A bucket as it stands."""

    state: State
    listing: BucketListing | None
    """None if the folder cannot be read or is not there."""
    problem: str = ""
    """Why it cannot be read, or how its last run ended; empty otherwise."""

    @property
    def has_news(self) -> bool:
        """True if a run has something to do."""
        return self.state in ("new", "stale", "unfinished")


def bucket_standings(
    buckets: Iterable[str], folders: Iterable[str], listing: Callable[[str], BucketListing], registry: Registry
) -> dict[str, BucketStanding]:
    """Bucket -> how it stands. `folders`: the buckets that have a folder; `listing`: gives what lies in one."""
    buckets = list(buckets)
    done, unfinished, there = registry.folder_digests(buckets), unfinished_runs(registry), set(folders)
    ran = {run.bucket for run in registry.bucket_runs()}
    return {
        bucket: _standing(bucket, listing, done, unfinished.get(bucket), ran)
        if bucket in there
        else BucketStanding("absent", None)
        for bucket in buckets
    }


def _standing(
    bucket: str,
    listing: Callable[[str], BucketListing],
    done: Mapping[str, str],
    unfinished: UnfinishedRun | None,
    ran: set[str],
) -> BucketStanding:
    try:
        found = listing(bucket)
    except BucketError as error:
        return BucketStanding("unreadable", None, str(error))
    if unfinished is not None:
        return BucketStanding("unfinished", found, unfinished.reason)
    if found.digest() == done.get(bucket):
        return BucketStanding("up to date", found)
    return BucketStanding("stale" if bucket in ran or done.get(bucket) else "new", found)

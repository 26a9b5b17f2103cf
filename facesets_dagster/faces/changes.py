"""What is new in a bucket: its listing against the rows that are cached. No file is opened, no face is read.

What belongs here: the decision which files have to be opened, and whether there is anything to do at all. It is made
on whole columns, so that a bucket of a hundred thousand files that did not change costs little more than listing it.
"""

from dataclasses import dataclass

import polars as pl

from facesets_dagster.faces.schema import FILE_SCHEMA, settled_contents
from facesets_dagster.photos.formats import overcome_advice
from facesets_dagster.photos.listing import LISTING_SCHEMA, BucketListing, PhotoFile, files_of

_STATE = LISTING_SCHEMA.names()


@dataclass(frozen=True)
class FileChanges:
    """A bucket's listing against its cache."""

    known: pl.DataFrame
    """Cached rows (`FILE_SCHEMA`) of photo files that are still true, sorted by path."""
    to_open: tuple[PhotoFile, ...]
    """Sorted by path."""
    none: bool
    """The cached rows are those of the listing: nothing to open, nothing gone, the same files passed over."""


def find_changes(
    listing: BucketListing, files: pl.DataFrame, contents: pl.DataFrame, *, retry_failed: bool
) -> FileChanges:
    """Compares.

    `files`: cached rows (`FILE_SCHEMA`); `contents`: `sha256`, `status`, `detail` and `look` of what was read. A row
    is true if the file's state is unchanged and its content was read (or, if `retry_failed`, could be used), or was
    found to be no photo's.
    """
    seen = files.filter(pl.col("size").is_not_null()).sort("path")
    candidates = listing.candidates
    same = seen.select(_STATE).equals(candidates)
    still = seen if same else candidates.join(seen, on=_STATE, how="inner").select(FILE_SCHEMA.names())
    settled = settled_contents(contents, retry_failed=retry_failed)
    known = still.join(settled.select("sha256"), on="sha256", how="semi").sort("path")
    foreign = still.filter((pl.col("status") == "foreign") & ~pl.col("detail").is_in(overcome_advice()))
    if len(foreign):
        known = pl.concat([known, foreign]).sort("path")
    changed = () if len(known) == len(listing) else files_of(candidates.join(known, on="path", how="anti"))
    passed_over = [(file.path, file.reason) for file in listing.foreign]
    unseen = files.filter(pl.col("size").is_null()).select("path", "detail").sort("path")
    return FileChanges(known, tuple(sorted(changed)), same and not changed and unseen.rows() == passed_over)

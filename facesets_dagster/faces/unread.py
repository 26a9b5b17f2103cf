"""What of a bucket was not read, in words: nothing vanishes without a line."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from facesets_dagster.faces.schema import failed_photos
from facesets_dagster.photos.formats import OPTIONAL_DECODERS, suffix_of
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.wording import counted

_NAMED = 5
"""Names in a line."""
_ADVICE = {
    "crashed": "crashed: the decoder ended with the photo, twice. If another program opens it, save it anew there.",
    "too_slow": (
        "too_slow: see whether its folder answers, or set FACESETS_PHOTO_SECONDS to more and run with `retry_failed`."
    ),
    "needs_too_much_memory": (
        "needs_too_much_memory: set FACESETS_PHOTO_MEMORY_MB to more and run with `retry_failed`, or make it smaller."
    ),
}
"""Reason of a photo that was not usable -> what to do."""


@dataclass(frozen=True)
class Unread:
    """Files and folders of a bucket that gave no faces although they may hold some."""

    passed_over: tuple[tuple[str, str], ...]
    """Path (a folder's with `/` at its end) and reason, sorted: no photos by name or content, or folders."""
    not_usable: tuple[tuple[str, str], ...]
    """Path and reason, sorted: photos that could not be used."""
    ignored: int
    """Files that the ignore globs name, and hidden ones."""
    unused_globs: tuple[str, ...]
    """Globs of the bucket's own file that matched nothing."""

    def lines(self) -> list[str]:
        """A sentence for each kind; none where all was read."""
        kinds = (_kind(path) for path, _ in self.passed_over)
        lines = _line("passed over", [path for path, _ in self.passed_over], kinds)
        lines += _line("not usable", [path for path, _ in self.not_usable], (why for _, why in self.not_usable))
        reasons = {reason for _, reason in self.passed_over}
        failed = {reason for _, reason in self.not_usable}
        lines += [advice for reason, advice in _ADVICE.items() if reason in failed]
        lines += [decoder.advice for decoder in OPTIONAL_DECODERS if decoder.advice in reasons]
        return lines + [f"`{glob}` in .facesetsignore matches nothing" for glob in self.unused_globs]


def unread_of(files: pl.DataFrame, listing: BucketListing) -> Unread:
    """`files`: the file table (`FILE_SCHEMA`) after the listing was scanned."""
    passed_over = files.filter(pl.col("status") == "foreign").sort("path")
    return Unread(
        tuple(passed_over.select("path", "detail").iter_rows()),
        tuple(failed_photos(files).sort("path").select("path", "status").iter_rows()),
        listing.ignored,
        listing.unused_globs,
    )


def _kind(path: str) -> str:
    """A suffix as people write it, `folder`, or `without a suffix`."""
    if path.endswith("/"):
        return "folder"
    return suffix_of(path.rpartition("/")[2]).lstrip(".").upper() or "without a suffix"


def _line(what: str, names: Sequence[str], kinds: Iterable[str]) -> list[str]:
    if not names:
        return []
    found = Counter(kinds)
    by_count = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    most = ", ".join(_of_kind(kind, count) for kind, count in by_count)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"{what} {len(names)} ({most}): {', '.join(names[:_NAMED])}{more}"]


def _of_kind(kind: str, count: int) -> str:
    return counted(count, kind) if kind == "folder" else f"{count} {kind}"

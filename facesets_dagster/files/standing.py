"""Warnings that stand until the run of the same bucket that lifts them: a small file for each bucket that warns.

Kept below the cache: what is removed there comes back with the next run of the bucket.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.files.writing import write_text


@dataclass(frozen=True)
class StandingWarnings:
    """The warnings of one check, by bucket key."""

    folder: Path
    file_name: Callable[[str], str] = str
    """Bucket key -> what its file is called."""

    def note(self, bucket: str, words: str | None) -> None:
        """From now on the bucket warns in these words, or not any more (None)."""
        path = self.folder / f"{self.file_name(bucket)}.txt"
        if words is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, words)

    def of(self, buckets: Collection[str]) -> dict[str, str]:
        """Bucket -> words, of those of these buckets that warn."""
        found = {path.stem: path for path in sorted(self.folder.glob("*.txt"))}
        warns = {bucket: found[name] for bucket in sorted(buckets) if (name := self.file_name(bucket)) in found}
        return {bucket: path.read_text(encoding="utf-8") for bucket, path in warns.items()}

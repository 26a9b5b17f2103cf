"""What people want passed over: shell globs of the home's setting, and of a file in the bucket."""

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from facesets_dagster.errors import BucketError

IGNORE_FILE = ".facesetsignore"
"""In a bucket's folder: a glob on each line; empty lines and those that begin with `#` mean nothing."""


class Ignored:
    """Globs, and how many files and folders each of them has matched so far."""

    def __init__(self, globs: tuple[str, ...]) -> None:
        self.globs = globs
        self.matched = dict.fromkeys(globs, 0)
        patterns = {glob: re.compile(fnmatch.translate(glob.rstrip("/"))) for glob in globs}
        self._each = {glob: pattern.match for glob, pattern in patterns.items()}
        self._any = re.compile("|".join(pattern.pattern for pattern in patterns.values())).match

    def __call__(self, name: str, relative: str) -> bool:
        """Whether a file or folder is to be passed over, by its name or relative path (without `/` at its end)."""
        if not self.globs or (self._any(name) is None and self._any(relative) is None):
            return False
        for glob, match in self._each.items():
            if match(name) is not None or match(relative) is not None:
                self.matched[glob] += 1
        return True

    def unused(self) -> tuple[str, ...]:
        """Globs that have matched nothing."""
        return tuple(glob for glob, count in self.matched.items() if not count)


def globs_of_bucket(folder: Path) -> tuple[str, ...]:
    """The globs of the file in a bucket's folder. Raises `BucketError` if it cannot be read."""
    path = folder / IGNORE_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise BucketError(
            f"{path} cannot be read ({error}). Expected a text file (UTF-8) with a glob on each line, e.g. `*_thumb*`."
        ) from error
    return _without_comments(lines)


def _without_comments(lines: Sequence[str]) -> tuple[str, ...]:
    kept = (line.strip() for line in lines)
    return tuple(dict.fromkeys(line for line in kept if line and not line.startswith("#")))

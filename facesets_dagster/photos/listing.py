"""What lies in a bucket: its files, their sizes and times, and one digest of the folder's state.

Reads directories and file status, never a file's content. Buckets are read-only to the platform.
"""

import fnmatch
import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.bucket_key import folder_name, partition_key
from facesets_dagster.photos.decode import is_photo_name
from facesets_dagster.photos.tree import Rules, Tree, read_tree

_IGNORED_NAMES = frozenset({"@eaDir", "Thumbs.db", "desktop.ini", "__MACOSX"})

LISTING_SCHEMA = pl.Schema(
    {"path": pl.String, "size": pl.Int64, "mtime_ns": pl.Int64, "ctime_ns": pl.Int64, "inode": pl.UInt64}
)
"""One row per photo file: its path, and the values that are equal while it is unchanged; columns as in `PhotoFile`."""


@dataclass(frozen=True, order=True)
class PhotoFile:
    """A file of a bucket that may be a photo."""

    path: str
    """Relative to the bucket, with `/`; undecodable bytes as `\\xNN`, a backslash as `\\\\`."""
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    @property
    def os_path(self) -> str:
        """The relative path as the file system spells it."""
        return unescape_path(self.path)


@dataclass(frozen=True, order=True)
class ForeignFile:
    """A file of a bucket that is no photo by its name, or nothing that can be read."""

    path: str
    """As in `PhotoFile`."""
    reason: str


@dataclass(frozen=True, eq=False)
class BucketListing:
    """All photo files of a bucket, and what else lies there."""

    folder: Path
    table: pl.DataFrame
    """`LISTING_SCHEMA`, sorted by path. No file is an object of its own until it is read from here."""
    ignored: int
    """Hidden files, `@eaDir`, `Thumbs.db`, and what the ignore globs name."""
    foreign: tuple[ForeignFile, ...]
    """Sorted by path. They get a record, but are never opened."""
    folders_mtime_ns: int
    """Newest change of a folder of the bucket: something was added, removed or renamed in it."""

    @classmethod
    def of_files(cls, folder: Path, files: Sequence[PhotoFile]) -> "BucketListing":
        """A listing of just these files."""
        columns = {name: [getattr(file, name) for file in files] for name in LISTING_SCHEMA}
        return cls(folder, pl.DataFrame(columns, schema=LISTING_SCHEMA).sort("path"), 0, (), 0)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def files(self) -> tuple[PhotoFile, ...]:
        """Each photo file, sorted by path."""
        return files_of(self.table)

    def digest(self) -> str:
        """Changes when any photo file is added, removed, renamed, rewritten or made readable.

        The time of the status change counts too, because no program can set it.
        """
        paths = self.table["path"].str.join("\0").item() if len(self.table) else ""
        state = hashlib.sha256(paths.encode())
        for column in ("size", "mtime_ns", "ctime_ns"):
            state.update(self.table[column].to_numpy().astype("<i8").tobytes())
        return state.hexdigest()[:32]

    def newest_change(self, latest: float) -> float:
        """Newest modification or status change of any photo file or folder, seconds since the epoch.

        A file whose modification time is beyond `latest` was dated by hand or a wrong clock: its status change counts.
        """
        modified = pl.when(pl.col("mtime_ns") <= round(latest * 1e9)).then("mtime_ns")
        newest = self.table.select(pl.max_horizontal(modified, "ctime_ns").max()).item()
        return max(self.folders_mtime_ns, newest or 0) / 1e9


def files_of(table: pl.DataFrame) -> tuple[PhotoFile, ...]:
    """The rows of a table with the columns of `LISTING_SCHEMA`."""
    return tuple(map(PhotoFile, *(table[name].to_list() for name in ("path", "size", "mtime_ns", "inode", "ctime_ns"))))


def escape_path(path: str) -> str:
    r"""A file-system path as valid Unicode: surrogate-escaped bytes become `\xNN`, a backslash is doubled."""
    if _is_plain(path):
        return path
    escaped = path.replace("\\", "\\\\")
    return "".join(f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in escaped)


def _is_plain(text: str) -> bool:
    """Nothing in it has to be escaped."""
    return text.isascii() and "\\" not in text


def unescape_path(text: str) -> str:
    """Inverse of `escape_path`."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        if text[position] != "\\":
            parts.append(text[position])
            position += 1
        elif text[position + 1] == "\\":
            parts.append("\\")
            position += 2
        else:
            parts.append(chr(0xDC00 + int(text[position + 2 : position + 4], 16)))
            position += 4
    return "".join(parts)


def find_buckets(roots: tuple[Path, ...]) -> dict[str, Path]:
    """Partition key -> folder for every bucket folder of all roots, in key order.

    Raises `BucketError` if a root cannot be listed (an unmounted disk must not look like an empty root) or if two
    roots hold a bucket of the same name.
    """
    found: dict[str, Path] = {}
    for root in roots:
        try:
            with os.scandir(root) as entries:
                names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except OSError as error:
            raise BucketError(
                f"The buckets root {root} cannot be listed ({error.strerror or error}). Expected a readable folder of "
                "bucket folders. Mount it, fix its permissions, or change FACESETS_BUCKETS."
            ) from error
        for name in names:
            if name in _IGNORED_NAMES:
                continue
            key = partition_key(name)
            if key in found:
                raise BucketError(
                    f"Two buckets are called {name!r}: {found[key]} and {root / name}. Bucket names are partition "
                    "keys and must differ: rename one of the folders."
                )
            found[key] = root / name
    return dict(sorted(found.items()))


def hand_sorted_folder(root: Path) -> Path:
    """The root of the hand-sorted folders. Raises `BucketError` if it is not there."""
    if not root.is_dir():
        raise BucketError(
            f"The root of the hand-sorted folders, {root}, is not a folder. Mount it, or change FACESETS_HAND_SORTED. "
            "Nothing was changed: an absent folder is never taken for an empty one."
        )
    return root


def folders_by_hand(root: Path) -> list[str]:
    """Names of the folders of the root, as the paths of photos in them begin; with photos or without."""
    with os.scandir(hand_sorted_folder(root)) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not _is_hidden(entry.name)]
    return sorted(escape_path(name) for name in names)


def bucket_folder(key: str, roots: tuple[Path, ...]) -> Path:
    """The folder of a bucket. Raises `BucketError` if the key is not valid or no root holds it."""
    name = folder_name(key)
    candidates = [root / name for root in roots if (root / name).is_dir()]
    if not candidates:
        looked = ", ".join(str(root) for root in roots)
        raise BucketError(
            f"The bucket {key!r} has no folder {name!r} under {looked}. It may have been renamed or its disk is not "
            "mounted. Nothing was changed: an absent folder is never taken for an empty bucket."
        )
    if len(candidates) > 1:
        raise BucketError(f"The bucket {key!r} exists twice: {', '.join(map(str, candidates))}. Rename one of them.")
    return candidates[0]


def list_bucket(folder: Path, ignore: tuple[str, ...] = ()) -> BucketListing:
    """Lists a bucket recursively; symbolic links to files are followed, to folders not.

    `ignore` are shell globs matched against the relative path and against each name. Raises `BucketError` if the
    folder or one below it cannot be read.
    """
    rules = Rules(_IGNORED_NAMES, _passed_over(ignore), lambda ending: is_photo_name(f"_{ending}"))
    tree = read_tree(folder, rules)
    foreign = sorted(ForeignFile(escape_path(path), _why_foreign(mode)) for path, mode in tree.others)
    return BucketListing(folder, _table(tree), tree.passed_over, tuple(foreign), tree.folders_mtime_ns)


def _table(tree: Tree) -> pl.DataFrame:
    paths = tree.paths if _is_plain("".join(tree.paths)) else [escape_path(path) for path in tree.paths]
    sizes, mtimes_ns, ctimes_ns, inodes = np.concatenate([np.empty((0, 4), np.int64), *tree.states]).T.copy()
    columns = (paths, sizes, mtimes_ns, ctimes_ns, inodes.view(np.uint64))
    return pl.DataFrame(columns, schema=LISTING_SCHEMA).sort("path")


def _why_foreign(mode: int) -> str:
    if not mode:
        return "leads to no file"
    return "its name has no photo format's suffix" if stat.S_ISREG(mode) else "not a regular file"


def _passed_over(globs: tuple[str, ...]) -> Callable[[str, str], bool] | None:
    """By name and relative path."""
    if not globs:
        return None
    matches = re.compile("|".join(fnmatch.translate(glob) for glob in globs)).match
    return lambda name, relative: matches(name) is not None or matches(relative) is not None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _IGNORED_NAMES

"""What lies in a bucket: its files, their sizes and times, and one digest of the folder's state.

Reads directories and file status, never a file's content. Buckets are read-only to the platform.
"""

import hashlib
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from facesets_dagster.photos.formats import RAW_SUFFIXES, decoder_of_suffix, is_photo_suffix, suffix_of
from facesets_dagster.photos.ignoring import Ignored, globs_of_bucket
from facesets_dagster.photos.left_out import HIDDEN_FILES, HOME, OWN, is_home, is_within, why_left_out
from facesets_dagster.photos.links import LEADS_OUT, stays_within
from facesets_dagster.photos.tree import Files, Rules, read_tree

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
    """A file of a bucket that is no photo by its name or nothing that can be read, or a folder that is not entered."""

    path: str
    """As in `PhotoFile`; a folder has `/` at its end."""
    reason: str


@dataclass(frozen=True, eq=False)
class BucketListing:
    """All photo files of a bucket, and what else lies there."""

    folder: Path
    table: pl.DataFrame
    """`LISTING_SCHEMA`, sorted by path. No file is an object of its own until it is read from here."""
    ignored: int
    """Hidden files, `Thumbs.db` and the like, and files that the ignore globs name."""
    foreign: tuple[ForeignFile, ...]
    """Sorted by path. They get a record, but are never opened."""
    folders_mtime_ns: int
    """Newest change of a folder of the bucket: something was added, removed or renamed in it."""
    unsure: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LISTING_SCHEMA))
    """`LISTING_SCHEMA`, sorted by path: files whose suffix says nothing, or without one. Their content decides."""
    ignored_by: Mapping[str, int] = field(default_factory=dict)
    """Glob of the home's setting -> files and folders that it matched."""
    unused_globs: tuple[str, ...] = ()
    """Globs of the bucket's own file that matched nothing."""

    @classmethod
    def of_files(cls, folder: Path, files: Sequence[PhotoFile]) -> "BucketListing":
        """A listing of just these files."""
        columns = {name: [getattr(file, name) for file in files] for name in LISTING_SCHEMA}
        return cls(folder, pl.DataFrame(columns, schema=LISTING_SCHEMA).sort("path"), 0, (), 0)

    def __len__(self) -> int:
        return len(self.candidates)

    def without(self, paths: Sequence[str]) -> "BucketListing":
        """The listing without these files; itself if none are named."""
        if not paths:
            return self
        stays = ~pl.col("path").is_in(list(paths))
        return replace(self, table=self.table.filter(stays), unsure=self.unsure.filter(stays))

    @cached_property
    def candidates(self) -> pl.DataFrame:
        """`LISTING_SCHEMA`, sorted by path: photos by their name, and those that may be by their content."""
        return pl.concat([self.table, self.unsure]).sort("path") if len(self.unsure) else self.table

    @cached_property
    def files(self) -> tuple[PhotoFile, ...]:
        """Each of them, sorted by path."""
        return files_of(self.candidates)

    def digest(self) -> str:
        """Changes when any file that is or may be a photo is added, removed, renamed, rewritten or made readable.

        The time of the status change counts too, because no program can set it.
        """
        paths = self.candidates["path"].str.join("\0").item() if len(self) else ""
        state = hashlib.sha256(paths.encode())
        for column in ("size", "mtime_ns", "ctime_ns"):
            state.update(self.candidates[column].to_numpy().astype("<i8").tobytes())
        return state.hexdigest()[:32]

    def newest_change(self, latest: float) -> float:
        """Newest modification or status change of any photo file or folder, seconds since the epoch.

        A file whose modification time is beyond `latest` was dated by hand or a wrong clock: its status change counts.
        """
        modified = pl.when(pl.col("mtime_ns") <= round(latest * 1e9)).then("mtime_ns")
        newest = self.candidates.select(pl.max_horizontal(modified, "ctime_ns").max()).item()
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


def list_bucket(
    folder: Path, ignore: tuple[str, ...] = (), own: tuple[Path, ...] = (), linked: tuple[Path, ...] = ()
) -> BucketListing:
    """Lists a bucket recursively; symbolic links to files in it and in `linked` are followed, to folders not.

    `ignore`: shell globs of the home, which hold beside those of the bucket's own file (`ignoring`), for the relative
    path and the name of a file or folder; `own`: folders that the platform writes to. Raises `BucketError` if the
    folder, one below it or its file of globs cannot be read.
    """
    of_bucket = globs_of_bucket(folder)
    ignored = Ignored(tuple(dict.fromkeys((*ignore, *of_bucket))))
    rules = Rules(
        HIDDEN_FILES,
        _left_out(folder, ignored, own),
        ignored if ignored.globs else None,
        stays_within(folder, linked),
        _is_photo,
    )
    tree = read_tree(folder, rules)
    table, unsure = _table(tree.wanted), _table(tree.unsure)
    has_raw = not RAW_SUFFIXES.isdisjoint(map(str.lower, tree.suffixes))
    twins = _raw_with_twin(table["path"].to_list()) if has_raw else {}
    if twins:
        table = table.filter(~pl.col("path").is_in(list(twins)))
    foreign = [ForeignFile(escape_path(path), why) for path, why in tree.left_out]
    foreign += [ForeignFile(escape_path(path), _why_foreign(path, mode)) for path, mode in tree.others]
    foreign += [ForeignFile(escape_path(path), LEADS_OUT) for path in tree.led_out]
    foreign += [ForeignFile(path, f"the photo of {other} beside it") for path, other in twins.items()]
    return BucketListing(
        folder,
        table,
        tree.passed_over,
        tuple(sorted(foreign)),
        tree.folders_mtime_ns,
        unsure,
        {glob: count for glob, count in ignored.matched.items() if glob in ignore},
        tuple(glob for glob in ignored.unused() if glob in of_bucket),
    )


def _table(files: Files) -> pl.DataFrame:
    paths = files.paths if _is_plain("".join(files.paths)) else [escape_path(path) for path in files.paths]
    sizes, mtimes_ns, ctimes_ns, inodes = np.concatenate([np.empty((0, 4), np.int64), *files.states]).T.copy()
    columns = (paths, sizes, mtimes_ns, ctimes_ns, inodes.view(np.uint64))
    return pl.DataFrame(columns, schema=LISTING_SCHEMA).sort("path")


def _is_photo(ending: str) -> bool | None:
    """By the end of a name from its last dot on, or its last letter where it has none."""
    return is_photo_suffix(ending.lower()) if ending.startswith(".") else None


def _left_out(folder: Path, ignored: Ignored, own: tuple[Path, ...]) -> Callable[[str, str], str | None]:
    """By path (with `/` at its end) and name: why a folder is not entered."""
    within = {place for place in own if is_within(place, [folder])}

    def why(path: str, name: str) -> str | None:
        place = folder / path
        if place in within:
            return OWN
        if is_home(place):
            return HOME
        if ignored.globs and ignored(name, path[:-1]):
            return "ignored"
        return why_left_out(name, place.parent.name)

    return why


def _why_foreign(path: str, mode: int) -> str:
    if not mode:
        return "leads to no file"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    decoder = decoder_of_suffix(suffix_of(path))
    return decoder.advice if decoder is not None else "its name has no photo format's suffix"


def _raw_with_twin(paths: Sequence[str]) -> dict[str, str]:
    """RAW photos beside which the camera's own JPEG (or the like) lies, and the name of that."""
    raw = [path for path in paths if suffix_of(path) in RAW_SUFFIXES]
    stems = {path.rpartition(".")[0].casefold() for path in raw}
    developed = [path for path in paths if suffix_of(path) not in RAW_SUFFIXES]
    named = {stem: path for path in developed if (stem := path.rpartition(".")[0].casefold()) in stems}
    return {
        path: PurePosixPath(named[stem]).name for path in raw if (stem := path.rpartition(".")[0].casefold()) in named
    }

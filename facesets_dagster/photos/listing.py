"""What lies in a bucket: its files, their sizes and times, and one digest of the folder's state.

Reads directories and file status, never a file's content. Buckets are read-only to the platform.
"""

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.bucket_key import folder_name, partition_key
from facesets_dagster.photos.decode import is_photo_name

_IGNORED_NAMES = frozenset({"@eaDir", "Thumbs.db", "desktop.ini", "__MACOSX"})


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


@dataclass(frozen=True)
class BucketListing:
    """All photo files of a bucket, sorted by path, and what else lies there."""

    folder: Path
    files: tuple[PhotoFile, ...]
    ignored: int
    """Hidden files, `@eaDir`, `Thumbs.db`, and what the ignore globs name."""
    foreign: tuple[ForeignFile, ...]
    """Sorted by path. They get a record, but are never opened."""
    folders_mtime_ns: int
    """Newest change of a folder of the bucket: something was added, removed or renamed in it."""

    def digest(self) -> str:
        """Changes when any photo file is added, removed, renamed or rewritten."""
        hasher = hashlib.sha256()
        for file in self.files:
            hasher.update(f"{file.path}\0{file.size}\0{file.mtime_ns}\n".encode())
        return hasher.hexdigest()[:32]

    def newest_mtime(self) -> float:
        """Newest modification or status change of any photo file or folder, seconds since the epoch."""
        return max((self.folders_mtime_ns, *(max(file.mtime_ns, file.ctime_ns) for file in self.files))) / 1e9


def escape_path(path: str) -> str:
    r"""A file-system path as valid Unicode: surrogate-escaped bytes become `\xNN`, a backslash is doubled."""
    escaped = path.replace("\\", "\\\\")
    return "".join(f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in escaped)


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
                "bucket folders. Mount it, mend its permissions, or change FACESETS_BUCKETS."
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
    files: list[PhotoFile] = []
    foreign: list[ForeignFile] = []
    ignored = 0
    folder_times: list[int] = []
    for entry, relative in _walk(folder, "", folder_times):
        if _is_ignored(entry.name, relative, ignore):
            ignored += 1
            continue
        status = _status(entry)
        if status is None or not stat.S_ISREG(status.st_mode) or not is_photo_name(entry.name):
            foreign.append(ForeignFile(escape_path(relative), _why_foreign(status)))
            continue
        files.append(
            PhotoFile(escape_path(relative), status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
        )
    return BucketListing(folder, tuple(sorted(files)), ignored, tuple(sorted(foreign)), max(folder_times))


def _why_foreign(status: os.stat_result | None) -> str:
    if status is None:
        return "leads to no file"
    return "its name has no photo format's suffix" if stat.S_ISREG(status.st_mode) else "not a regular file"


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # A dangling link, or a file that went away since the folder was read: not a photo now.
        return None


def _walk(folder: Path | str, prefix: str, folder_times: list[int]) -> Iterator[tuple["os.DirEntry[str]", str]]:
    """Entries below `folder` with their relative paths; the folders' own times are added to `folder_times`."""
    try:
        folder_times.append(os.stat(folder).st_mtime_ns)
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise BucketError(
            f"The folder {folder} cannot be read ({error.strerror or error}). Expected a readable folder. Mend its "
            "permissions or mount its disk; nothing was changed."
        ) from error
    for entry in entries:
        relative = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False) and not _is_hidden(entry.name):
            yield from _walk(entry.path, f"{relative}/", folder_times)
        else:
            yield entry, relative


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _IGNORED_NAMES


def _is_ignored(name: str, relative: str, globs: tuple[str, ...]) -> bool:
    return _is_hidden(name) or any(fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(relative, glob) for glob in globs)

"""A folder tree read as fast as the file system gives it: names and states as columns, no object per file.

What belongs here: directories, entries and their status. Which names are passed over or are photos is the caller's
(`photos.listing`), who alone uses this.
"""

import os
import stat
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.file_time import kept_time


@dataclass(frozen=True)
class Rules:
    """Which entries count."""

    hidden_names: frozenset[str]
    """Files and folders that are passed over, as those are whose name begins with a dot; nothing in them is looked at.
    """
    is_passed_over: Callable[[str, str], bool] | None
    """By name and relative path; None where nothing is."""
    is_wanted: Callable[[str], bool]
    """By the end of a regular file's name, from its last dot on; asked once for each."""


@dataclass
class Tree:
    """What was found; the columns have one value for each regular file with a wanted suffix, in no order."""

    paths: list[str] = field(default_factory=list)
    """Relative, with `/`, as the file system spells them."""
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    mtimes_ns: "array[int]" = field(default_factory=lambda: array("q"))
    ctimes_ns: "array[int]" = field(default_factory=lambda: array("q"))
    inodes: "array[int]" = field(default_factory=lambda: array("Q"))
    others: list[tuple[str, os.stat_result | None]] = field(default_factory=list)
    """Path and status of what is neither wanted nor passed over; None = leads to no file."""
    passed_over: int = 0
    folders_mtime_ns: int = 0
    """Newest change of a folder."""


def read_tree(folder: Path, rules: Rules) -> Tree:
    """Reads a folder and all below; symbolic links to files are followed, to folders not.

    Raises `BucketError` if the folder or one below it cannot be read.
    """
    tree, suffixes, waiting = Tree(), dict[str, bool](), [""]
    while waiting:
        prefix = waiting.pop()
        place = os.path.join(folder, prefix)
        try:
            # Entries are looked up by the folder's descriptor: the kernel does not walk the whole path for each.
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
            try:
                tree.folders_mtime_ns = max(tree.folders_mtime_ns, os.fstat(descriptor).st_mtime_ns)
                waiting += _read_folder(descriptor, prefix, rules, suffixes, tree)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise BucketError(
                f"The folder {place} cannot be read ({error.strerror or error}). Expected a readable folder. Mend its "
                "permissions or mount its disk; nothing was changed."
            ) from error
    return tree


def _read_folder(descriptor: int, prefix: str, rules: Rules, suffixes: dict[str, bool], tree: Tree) -> list[str]:
    """Adds the entries of one folder; gives the prefixes of the folders in it.

    Every file goes through this loop: what can be done once a folder or once a suffix is not done here.
    """
    hidden_names, is_passed_over = rules.hidden_names, rules.is_passed_over
    add_path, add_size, add_inode = tree.paths.append, tree.sizes.append, tree.inodes.append
    add_mtime, add_ctime = tree.mtimes_ns.append, tree.ctimes_ns.append
    folders = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." or name in hidden_names:
                tree.passed_over += 1
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{prefix}{name}/")
                continue
            path = prefix + name
            if is_passed_over is not None and is_passed_over(name, path):
                tree.passed_over += 1
                continue
            try:
                status = entry.stat()
            except OSError:  # A dangling link, or a file that went away since the folder was read: not a photo now.
                tree.others.append((path, None))
                continue
            suffix = name[max(name.rfind("."), 0) :]  # without a dot the whole name, which is no suffix
            if suffix not in suffixes:
                suffixes[suffix] = rules.is_wanted(suffix)
            if suffixes[suffix] and stat.S_ISREG(status.st_mode):
                add_path(path)
                add_size(status.st_size)
                try:
                    add_mtime(status.st_mtime_ns)
                except OverflowError:
                    add_mtime(kept_time(status.st_mtime_ns))
                add_ctime(status.st_ctime_ns)
                add_inode(status.st_ino)
            else:
                tree.others.append((path, status))
    return folders

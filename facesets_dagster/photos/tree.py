"""A folder tree read as fast as the file system gives it: names and states as columns, no object per file.

What belongs here: directories, entries and their status. Which names are passed over or are photos is the caller's
(`photos.listing`, `photos.roots`).
"""

import os
import stat
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, compress
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.file_time import kept_time

_KIND = stat.S_IFMT(0xFFFF)
_STATE = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


@dataclass(frozen=True)
class Rules:
    """Which entries count."""

    hidden_names: frozenset[str]
    """Files that are skipped and counted, in small letters, like those with a name that begins with a dot."""
    why_left_out: Callable[[str, str], str | None]
    """By path (with `/` at its end) and name: what a folder is that is not entered; None for one that is."""
    is_passed_over: Callable[[str, str], bool] | None
    """By name and relative path, for files; None where nothing is."""
    may_follow: Callable[[str], bool]
    """By relative path, for links: whether the file to which one leads counts."""
    is_wanted: Callable[[str], bool | None]
    """By the end of a file's name from its last dot on, once for each: True = wanted, None = its content decides."""


@dataclass
class Files:
    """Regular files, in no order."""

    paths: list[str] = field(default_factory=list)
    """Relative, with `/`, as the file system spells it."""
    states: list[NDArray[np.int64]] = field(default_factory=list)
    """Of the same files, stretch by stretch, (n, 4): size, mtime_ns, ctime_ns, inode modulo 2**64."""


@dataclass
class Tree:
    """What was found, in no order."""

    wanted: Files = field(default_factory=Files)
    unsure: Files = field(default_factory=Files)
    """Their content decides."""
    others: list[tuple[str, int]] = field(default_factory=list)
    """Path and mode of what is neither wanted nor passed over; 0 = leads to no file."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Path (with `/` at its end) of folders that were not entered, and what they are."""
    led_out: list[str] = field(default_factory=list)
    """Links that are not followed."""
    passed_over: int = 0
    suffixes: dict[str, bool | None] = field(default_factory=dict)
    """Each that was met, and whether files with it are wanted."""
    folders_mtime_ns: int = 0
    """Newest change of a folder."""


def read_tree(folder: Path, rules: Rules) -> Tree:
    """Reads a folder and all below; symbolic links to files are followed, to folders not.

    Raises `BucketError` if the folder or one below it cannot be read.
    """
    tree, waiting = Tree(), [""]
    while waiting:
        prefix = waiting.pop()
        path = os.path.join(folder, prefix)
        try:
            # Entries are looked up by the folder's descriptor: the kernel does not walk the whole path for each.
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                tree.folders_mtime_ns = max(tree.folders_mtime_ns, os.fstat(descriptor).st_mtime_ns)
                waiting += _read_folder(descriptor, prefix, rules, tree)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise BucketError(
                f"The folder {path} cannot be read ({error.strerror or error}). Expected a readable folder. Fix its "
                "permissions or mount its disk; nothing was changed."
            ) from error
    return tree


def _read_folder(descriptor: int, prefix: str, rules: Rules, tree: Tree) -> list[str]:
    """Adds the entries of one folder; returns the prefixes of the folders in it that are to be entered.

    Every file goes through here, so what is done for each is done in whole columns.
    """
    with os.scandir(descriptor) as entries:
        listed = list(entries)
    shown = [entry for entry in listed if entry.name[0] != "."]
    folders = [entry.name for entry in shown if entry.is_dir(follow_symlinks=False)]
    inside, files = [f"{prefix}{name}/" for name in folders], shown
    if folders:
        files = [entry for entry in shown if not entry.is_dir(follow_symlinks=False)]
        left = {
            path: why for path, name in zip(inside, folders, strict=True) if (why := rules.why_left_out(path, name))
        }
        tree.left_out += left.items()
        inside = [path for path in inside if path not in left]
    files = [entry for entry in files if entry.name.lower() not in rules.hidden_names]
    if rules.is_passed_over is not None:
        files = [entry for entry in files if not rules.is_passed_over(entry.name, prefix + entry.name)]
    tree.passed_over += len(listed) - len(folders) - len(files)
    links = {entry.name for entry in files if entry.is_symlink()}
    if links:
        out = {name for name in links if not rules.may_follow(prefix + name)}
        tree.led_out += [prefix + name for name in sorted(out)]
        files = [entry for entry in files if entry.name not in out]
    _add_files(files, prefix, rules, tree)
    return inside


def _add_files(files: "list[os.DirEntry[str]]", prefix: str, rules: Rules, tree: Tree) -> None:
    """Sorts the files of one folder into those that are wanted, unsure and others."""
    names, states = [entry.name for entry in files], _states(files)
    found = {_suffix(name) for name in names}
    for suffix in found - tree.suffixes.keys():
        tree.suffixes[suffix] = rules.is_wanted(suffix)
    regular = states[:, 0] & _KIND == stat.S_IFREG
    if regular.all() and all(tree.suffixes[suffix] for suffix in found):
        _add(tree.wanted, prefix, names, states)
        return
    kinds = [tree.suffixes[_suffix(name)] for name in names]
    for place, kind in ((tree.wanted, True), (tree.unsure, None)):
        chosen = regular & np.fromiter((one is kind for one in kinds), bool, len(kinds))
        _add(place, prefix, list(compress(names, chosen)), states[chosen])
    other = ~regular | np.fromiter((one is False for one in kinds), bool, len(kinds))
    tree.others += [(prefix + names[row], int(states[row, 0])) for row in np.flatnonzero(other)]


def _add(place: Files, prefix: str, names: list[str], states: NDArray[np.int64]) -> None:
    place.paths += [prefix + name for name in names]
    place.states.append(states[:, 1:])


def _states(files: "list[os.DirEntry[str]]") -> NDArray[np.int64]:
    """(n, 5): mode, size, both times, inode (modulo 2**64) of each file; no mode where a link leads to nothing."""
    try:
        numbers = array("q", chain.from_iterable(map(_STATE, map(os.DirEntry.stat, files))))
    except (OSError, OverflowError):
        numbers = array("q", chain.from_iterable(map(_odd_state, files)))
    return np.frombuffer(numbers, np.int64).reshape(-1, 5)


def _odd_state(entry: "os.DirEntry[str]") -> tuple[int, int, int, int, int]:
    """The same of one file, whatever its numbers are."""
    try:
        mode, size, mtime_ns, ctime_ns, inode = _STATE(entry.stat())
    except OSError:  # A dangling link, or a file that went away since the folder was read: not a photo now.
        return 0, 0, 0, 0, 0
    return mode, size, kept_time(mtime_ns), kept_time(ctime_ns), inode - (inode >> 63 << 64)


def _suffix(name: str) -> str:
    """From the last dot on; of a name without one its last letter, which is no photo's suffix."""
    return name[name.rfind(".") :]

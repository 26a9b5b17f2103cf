"""Who may read what the platform writes: its user alone, or with `FACESETS_SHARE_GROUP` the members of a group too.

A process that writes sets this once (`keep_access`): its umask, so that files of Dagster, of SQLite and of processes
that it starts are private as well, whatever umask it was started with. `tighten` brings files to it that were made
before. Photos are never touched; models are no secret and keep the umask of the person (`usual_access`).
"""

import grp
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import SettingsError

_FOR_GROUP = stat.S_IRWXG
_FOR_OTHERS = stat.S_IRWXO


@dataclass(frozen=True)
class Access:
    """The group that shares a home; None = nobody but its user."""

    group: str | None = None
    gid: int | None = None

    @classmethod
    def of(cls, group: str | None) -> "Access":
        """Raises `SettingsError` if there is no such group, or this user may not give files to it."""
        if group is None:
            return cls()
        try:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        except KeyError:
            raise SettingsError(
                f"FACESETS_SHARE_GROUP is {group!r}, and this machine has no such group. Expected the name or the "
                "number of a group; `getent group` lists them. Nothing was changed."
            ) from None
        if os.geteuid() != 0 and gid not in {os.getegid(), *os.getgroups()}:
            raise SettingsError(
                f"FACESETS_SHARE_GROUP is {group!r}, and you are no member of that group, so it can be given "
                "nothing. Expected a group that `id` shows; a new membership counts from the next login. Nothing was "
                "changed."
            )
        return cls(group, gid)

    @property
    def umask(self) -> int:
        """What new files and folders do not get."""
        return _FOR_OTHERS if self.group else _FOR_GROUP | _FOR_OTHERS

    @property
    def words(self) -> str:
        """Who may read the home, in words."""
        return f"you and the group {self.group}" if self.group else "you"

    def mode_of(self, mode: int, *, is_folder: bool) -> int:
        """The permissions of a file that has `mode`: others lose theirs, the group gets its user's or loses them."""
        kept: int = stat.S_IMODE(mode) & ~(_FOR_GROUP | _FOR_OTHERS | stat.S_ISGID)
        if self.group is None:
            return kept
        return kept | (kept & stat.S_IRWXU) >> 3 | (stat.S_ISGID if is_folder else 0)


@dataclass(frozen=True)
class Tightened:
    """What `tighten` did."""

    changed: int = 0
    refused: int = 0
    """Files that belong to other users, whose permissions cannot be set."""


_started_with: int | None = None
"""The umask of this process before `keep_access`."""


def keep_access(access: Access) -> None:
    """From now on all that this process and its children write has this access."""
    global _started_with
    before = os.umask(access.umask)
    if _started_with is None:
        _started_with = before


@contextmanager
def usual_access() -> Iterator[None]:
    """Within it, files get the permissions that the person's other programs give them."""
    kept = os.umask(0o022)
    os.umask(kept if _started_with is None else _started_with)
    try:
        yield
    finally:
        os.umask(kept)


def tighten(access: Access, folders: Collection[Path], without: Collection[Path]) -> Tightened:
    """Gives these folders and everything below them this access; what lies below `without` is left alone.

    Links are not followed, except for a folder that is one itself.
    """
    left_alone = {path.resolve() for path in without}
    changed = refused = 0
    for top in {folder.resolve() for folder in folders if folder.is_dir()}:
        for parent, names, files in os.walk(top):
            here = Path(parent)
            names[:] = [name for name in names if here / name not in left_alone]
            for path in (here, *(here / file for file in files)):
                done = _set(path, access)
                changed, refused = changed + (done is True), refused + (done is None)
    return Tightened(changed, refused)


def _set(path: Path, access: Access) -> bool | None:
    """Whether anything was changed; None if it may not be changed."""
    try:
        status = os.lstat(path)
        is_folder = stat.S_ISDIR(status.st_mode)
        if not (is_folder or stat.S_ISREG(status.st_mode)):
            return False
        wanted = access.mode_of(status.st_mode, is_folder=is_folder)
        moves = access.gid is not None and status.st_gid != access.gid
        if moves:
            os.chown(path, -1, access.gid or 0)
        if moves or stat.S_IMODE(status.st_mode) != wanted:
            os.chmod(path, wanted)
            return True
    except FileNotFoundError:  # a run has removed it meanwhile
        return False
    except PermissionError:
        return None
    return False


def begin_file(path: Path) -> None:
    """Makes an empty file if there is none: SQLite would make one that its group cannot write."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))

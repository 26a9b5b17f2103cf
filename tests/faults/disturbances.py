"""What happens to a process or to files while a command runs: functions of the home's folder, called in its process."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

import facesets_dagster.registry.dialect
import testing.fakes

NOBODY = 65534
_CLONE_NEWNS = 0x00020000
_PR_CAPBSET_DROP, _CAPABILITY_VERSION_3 = 24, 0x20080522


def as_a_user(_: Path) -> None:
    """From now on this process and its children have the rights of their user alone, and none of an administrator.

    The user stays the one that may read the interpreter; what belongs to `NOBODY` is another user's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # or a program that is started would have them again
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def library_mounted_read_only(home: Path) -> None:
    """For this process and its children alone."""
    _own_mounts()
    library = str(home / "facesets_swap_ready")
    _system("mount", "--bind", library, library)
    _system("mount", "-o", "remount,ro,bind", library)


def bucket_renamed(home: Path) -> None:
    """While its third photo is looked at."""
    at_photo(3, lambda: os.rename(home / "buckets" / "a", home / "elsewhere"))


def bucket_unmounted(home: Path) -> None:
    """While its third photo is looked at the mount is gone: an empty folder lies there."""

    def unmount() -> None:
        os.rename(home / "buckets" / "a", home / "elsewhere")
        (home / "buckets" / "a").mkdir()

    at_photo(3, unmount)


def bucket_remounted(home: Path) -> None:
    """While its third photo is looked at: the same files, with other inodes."""

    def remount() -> None:
        os.rename(home / "buckets" / "a", home / "old")
        _system("cp", "-a", str(home / "old"), str(home / "buckets" / "a"))

    at_photo(3, remount)


def disk_mounted_over_bucket(home: Path) -> None:
    """A real mount, for this process alone: another, empty disk over the bucket while its third photo is looked at."""
    _own_mounts()
    at_photo(3, lambda: _system("mount", "-t", "tmpfs", "none", str(home / "buckets" / "a")))


def interrupted_twice_while_reading(_: Path) -> None:
    """Ctrl-C while the third photo is looked at, and once more a moment later."""
    at_photo(3, lambda: (signal.raise_signal(signal.SIGINT), Timer(0.05, _interrupt).start()))


def interrupted_twice_while_publishing(home: Path) -> None:
    """Ctrl-C before the second file of the library that is put in its place, and before the third."""
    replace, seen = os.replace, []

    def disturbed(source: Any, target: Any, **options: Any) -> None:
        if str(target).startswith(str(home / "facesets_swap_ready")):
            seen.append(1)
            if len(seen) in (2, 3):
                signal.raise_signal(signal.SIGINT)
        replace(source, target, **options)

    os.replace = disturbed


def interrupted_twice_at_once(_: Path) -> None:
    """Two Ctrl-C of which the second comes before anything is done about the first."""
    at_photo(3, lambda: (_interrupt(), _interrupt()))


def impatient(_: Path) -> None:
    """Locked databases are waited for a second in place of minutes."""
    facesets_dagster.registry.dialect.BUSY_SECONDS = 1


def at_photo(number: int, happens: Callable[[], Any]) -> None:
    """Once the model is shown its photo of this number, counted from 1."""
    detect, seen = testing.fakes.FakeEmbedder.detect, []

    def disturbed(self: Any, image: Any) -> Any:
        seen.append(1)
        if len(seen) == number:
            happens()
        return detect(self, image)

    testing.fakes.FakeEmbedder.detect = disturbed  # type: ignore[method-assign]


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _own_mounts() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    _system("mount", "--make-rprivate", "/")


def _system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)

"""The library's lock: one writer at a time, released by the system when a process dies.

The lock is an advisory file lock, and one of the registry's server where there is one: a folder that machines share may
not carry file locks. Beside it stands a note of who holds it, so that a waiting run can say for whom it waits and the
next holder can say whose work it takes over.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from facesets_dagster.errors import LibraryLocked
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import remove_leftovers, write_json
from facesets_dagster.registry.server_lock import ServerLock

_SAY_EVERY_SECONDS = 30


@contextmanager
def library_lock(
    library_dir: Path,
    holder: str,
    *,
    say: Callable[[str], None],
    timeout_seconds: float = 3600,
    server: ServerLock | None = None,
) -> Iterator[None]:
    """Holds the library for `holder` (a run id). Raises `LibraryLocked` after `timeout_seconds`."""
    library_dir.mkdir(parents=True, exist_ok=True)
    note = library_dir / ".lock.json"
    lock = FileLock(library_dir / ".lock")
    deadline = time.monotonic() + timeout_seconds
    while not _acquired(lock, server, min(_SAY_EVERY_SECONDS, max(deadline - time.monotonic(), 0))):
        if time.monotonic() >= deadline:
            raise LibraryLocked(
                f"The library {library_dir} was held by {_describe(note)} for {timeout_seconds:.0f} s. Wait for "
                "that run to end, or end it; its lock is released with it."
            )
        say(f"waiting for the library, held by {_describe(note)}")
    try:
        remove_leftovers(library_dir)
        if note.exists():
            say(f"the library was left locked by {_describe(note)}, which is gone; this run takes over")
        write_json(note, {"holder": holder, "pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        yield
    finally:
        note.unlink(missing_ok=True)
        if server is not None:
            server.release()
        lock.release()


def _acquired(lock: FileLock, server: ServerLock | None, timeout_seconds: float) -> bool:
    """Both locks or neither."""
    deadline = time.monotonic() + timeout_seconds
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout:
        return False
    try:
        held = server is None or server.acquire(max(deadline - time.monotonic(), 0))
    except BaseException:
        lock.release()
        raise
    if not held:
        lock.release()
    return held


def _describe(note: Path) -> str:
    try:
        held = parse_json(note.read_text())
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(held["since"]))
        return f"{held['holder']} (process {held['pid']} on {held['host']}, since {since})"
    except (OSError, ValueError, KeyError):
        return "another process"

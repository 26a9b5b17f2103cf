"""The library's lock: one writer at a time, released by the system when a process dies.

The lock is an advisory file lock; beside it stands a note of who holds it, so that a waiting run can say for whom it
waits and the next holder can say whose work it takes over.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from facesets_dagster.errors import LibraryLocked
from facesets_dagster.files.writing import remove_leftovers, write_json

_SAY_EVERY_SECONDS = 30


@contextmanager
def library_lock(
    library_dir: Path, holder: str, *, say: Callable[[str], None], timeout_seconds: float = 3600
) -> Iterator[None]:
    """Holds the library for `holder` (a run id). Raises `LibraryLocked` after `timeout_seconds`."""
    library_dir.mkdir(parents=True, exist_ok=True)
    note = library_dir / ".lock.json"
    lock = FileLock(library_dir / ".lock")
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            lock.acquire(timeout=min(_SAY_EVERY_SECONDS, max(deadline - time.monotonic(), 0)))
            break
        except Timeout:
            if time.monotonic() >= deadline:
                raise LibraryLocked(
                    f"The library {library_dir} was held by {_describe(note)} for {timeout_seconds:.0f} s. Wait for "
                    "that run to end, or end it; its lock is released with it."
                ) from None
            say(f"waiting for the library, held by {_describe(note)}")
    try:
        remove_leftovers(library_dir)
        if note.exists():
            say(f"the library was left locked by {_describe(note)}, which is gone; this run takes over")
        write_json(note, {"holder": holder, "pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _describe(note: Path) -> str:
    try:
        held = json.loads(note.read_text())
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(held["since"]))
        return f"{held['holder']} (process {held['pid']} on {held['host']}, since {since})"
    except (OSError, ValueError, KeyError):
        return "another process"

"""Who did what in a home: `audit.jsonl`, a line for each run that began, each ruling and each removal, oldest first.

Lines are only added; `facesets forget` alone takes out what names somebody (`without`). They hold names of buckets,
facesets and runs, ids of rulings, and no name of a person, photo or path. Read by people and programs, by none of ours.
"""

import fcntl
import getpass
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facesets_dagster.errors import LibraryError
from facesets_dagster.files.writing import sync_folder, write_text

FILE = "audit.jsonl"
SCHEMA_VERSION = 1


def user_here() -> str:
    """The login name of this process; `unknown` in a container without an entry for the user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def note_deed(home: Path, what: str, *, who: str, via: str, **of: object) -> None:
    """Adds a durable line. `what`: `run`, `ruling`, `undo`, `forget`; `of`: what it was done to, in JSON's types.

    Raises `LibraryError` if it cannot be written.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"schema_version": SCHEMA_VERSION, "at": at, "who": who, "via": via, "what": what, **of}
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _turn(home):
            data = (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
            _append(home / FILE, data)
    except OSError as error:
        raise LibraryError(
            f"What was done ({what}) cannot be noted in {home / FILE}: {error.strerror}. Expected a file that can be "
            "written and room on its disk; nothing runs without it."
        ) from error


def deeds(home: Path) -> list[dict[str, Any]]:
    """All lines, oldest first; one that a power cut left unfinished is passed over."""
    found = []
    for line in _lines(home / FILE):
        try:
            deed = json.loads(line)
        except ValueError:
            continue
        if isinstance(deed, dict):
            found.append(deed)
    return found


def without(home: Path, changed: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]) -> int:
    """Replaces each line by what `changed` makes of it, None removes it; the number of lines that are others now."""
    path = home / FILE
    if not path.exists():
        return 0
    with _turn(home):
        before = deeds(home)
        after = [changed(deed) for deed in before]
        kept = [json.dumps(dict(deed), ensure_ascii=False) for deed in after if deed is not None]
        count = sum(old != new for old, new in zip(before, after, strict=True))
        if count:
            write_text(path, "".join(f"{line}\n" for line in kept))
    return count


def _append(path: Path, data: bytes) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # after one that was cut off
            data = b"\n" + data
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return
    yield from (line for line in text.split("\n") if line.strip())


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    """One writer at a time, also while the file is replaced by another one."""
    descriptor = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

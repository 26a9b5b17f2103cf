"""Files that appear whole or not at all: temporary name, sync, rename. And the swap of two folders.

All code that writes under the home uses these; nothing else in the project opens a final path for writing.
"""

import ctypes
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl

from facesets_dagster.files.machine import lives_here, place_of_processes

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_TEMPORARY = re.compile(r"\.([0-9a-f]{12})-(\d+)-[0-9a-f]{16}\.tmp")
_OLDER_TEMPORARY = re.compile(r"\..*\.\d+\.tmp", re.DOTALL)
"""Of earlier states of the program: without the place of the process."""
_ABANDONED_SECONDS = 24 * 3600
"""Age at which the temporary file of a process of another machine or container is taken for left behind."""


@contextmanager
def temporary_for(path: Path) -> Iterator[Path]:
    """A path beside `path` that no other writer has, of any machine. What is still there in the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{place_of_processes()}-{os.getpid()}-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces `path` atomically and durably."""
    write_stream(path, lambda stream: stream.write(data))


def write_stream(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replaces `path` in the same way by what `write` puts into a file that can be sought in."""
    with temporary_for(path) as temporary:
        with open(temporary, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    r"""Replaces `path` by UTF-8 text; half a surrogate pair, which UTF-8 has no place for, as `\ud800`."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: object) -> None:
    """Replaces `path` by indented JSON with a trailing newline."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_parquet(path: Path, frame: pl.DataFrame, metadata: dict[str, str], *, smaller: bool = True) -> None:
    """Replaces `path` by a Parquet file that carries `metadata`; `smaller`: compressed."""
    # Level 1 takes half the time of the usual 3; digests and embeddings hardly compress at any.
    compression, level = ("zstd", 1) if smaller else ("uncompressed", None)
    with temporary_for(path) as temporary:
        frame.write_parquet(temporary, compression=compression, compression_level=level, metadata=metadata)  # type: ignore[arg-type]
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    sync_folder(path.parent)


def link_folder(source: Path, target: Path) -> None:
    """Makes `target` a durable copy of the folder `source`, by hard links where the file system has them."""
    for parent, folders, files in os.walk(source):
        folders.sort()
        copy = target / Path(parent).relative_to(source)
        copy.mkdir(parents=True, exist_ok=True)
        for file in sorted(files):
            try:
                os.link(Path(parent) / file, copy / file)
            except OSError:  # none here, or too many links
                shutil.copy2(Path(parent) / file, copy / file)
                with open(copy / file, "rb") as stream:
                    os.fsync(stream.fileno())
        sync_folder(copy)


def sha256_of(path: Path | str) -> str:
    """Hex digest of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files in `folder` of writers that died before their rename.

    A process of this machine is looked up; those of other machines and containers are given a day, and nobody more.
    """
    for name in os.listdir(folder) if folder.is_dir() else ():
        ours = _TEMPORARY.fullmatch(name)
        if ours and ours[1] == place_of_processes():
            # A container that is made anew can get the namespace's number of one that is gone, and the process's too.
            left = not lives_here(int(ours[2])) or _is_abandoned(folder / name)
        elif ours or _OLDER_TEMPORARY.fullmatch(name):
            left = _is_abandoned(folder / name)
        else:
            left = False
        if left:
            (folder / name).unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Makes renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exchange_folders(first: Path, second: Path) -> bool:
    """Swaps two folders in one step where the system can (Linux renameat2, most file systems); False elsewhere."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    result = renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))

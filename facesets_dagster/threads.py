"""Work shared by as many threads as this process has cores, for work that lets go of the interpreter's lock.

Decoding, models, encoding, digests, compiled kernels and writing do. The order of results is that of the pieces, so
that they do not depend on which was done first. Here alone cores are counted.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from facesets_dagster.control_groups import least_limit, text_of

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_BLOCK_ROWS = 8192


def cores() -> int:
    """Cores that this process may use: those it is pinned to, and no more than its container's quota, rounded up."""
    return max(1, math.ceil(min(_pinned_cores(), quota_of())))


def _pinned_cores() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def quota_of(root: Path = Path("/")) -> float:
    """Cores' worth of time that this process's control groups allow, infinite without a limit; read once.

    `root`: where `proc` and `sys` lie. Version 2 has it in `cpu.max`, version 1 in `cpu.cfs_quota_us`.
    """
    return least_limit("cpu", _limit_of, root)


def _limit_of(group: Path) -> float:
    """Cores that one control group allows, infinite without a limit."""
    quota, period = (text_of(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    values = text_of(group / "cpu.max").split() or [quota, period]
    limited = len(values) == 2 and all(value.isdecimal() and int(value) for value in values)
    return int(values[0]) / int(values[1]) if limited else math.inf


def in_threads(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
    """The result of each piece, in their order. Raises the first error; pieces that were not started are not done."""
    threads = min(cores(), len(pieces))
    if threads <= 1:
        return [work(piece) for piece in pieces]
    pool = ThreadPoolExecutor(threads, thread_name_prefix="piece")
    try:
        return list(pool.map(work, pieces))
    finally:
        pool.shutdown(cancel_futures=True)


def in_blocks(count: int, work: Callable[[int, int], None]) -> None:
    """Calls `work(top, end)` for blocks of rows that make up 0..count."""
    tops = range(0, count, _BLOCK_ROWS)
    in_threads(lambda top: work(top, min(top + _BLOCK_ROWS, count)), tops)


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """OpenCV stays in the thread that calls it: its own threads only get in the way where all cores have work."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)

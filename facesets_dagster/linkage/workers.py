"""Work on ranges of rows, on all cores; what is called gives up the interpreter's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_BLOCK = 8192


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_blocks(count: int, work: Callable[[int, int], None]) -> None:
    """Calls `work` for ranges that make up 0..count."""
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(lambda top: work(top, min(top + _BLOCK, count)), range(0, count, _BLOCK)))

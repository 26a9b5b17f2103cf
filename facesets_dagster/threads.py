"""Independent pieces of work shared by as many threads as there are cores, for work that lets go of the interpreter.

Decoding, models, encoding, digests and writing do. The order of the results is that of the pieces, so that what is
made of them does not depend on who was first.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_threads(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
    """The result of each piece, in their order. The first error is raised, and what was not begun is not done."""
    threads = min(os.cpu_count() or 1, len(pieces))
    if threads <= 1:
        return [work(piece) for piece in pieces]
    pool = ThreadPoolExecutor(threads, thread_name_prefix="piece")
    try:
        return list(pool.map(work, pieces))
    finally:
        pool.shutdown(cancel_futures=True)


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

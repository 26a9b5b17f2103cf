"""A number of bytes that threads share: who asks for more than is free waits for its turn."""

import threading
from collections import deque
from collections.abc import Callable

_LOOK_SECONDS = 0.2


class Stopped(Exception):
    """What was waited for is not wanted any more."""


class MemoryBudget:
    """First come, first served, so that a large photo is not overtaken for ever by small ones."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def take(self, wanted: int, stopped: Callable[[], bool]) -> None:
        """Waits until so many bytes are free; at most `total`. Raises `Stopped` once `stopped` says so."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self._free < wanted:
                    if stopped():
                        raise Stopped
                    self._changed.wait(_LOOK_SECONDS)
                self._free -= wanted
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give(self, taken: int) -> None:
        """Gives bytes back."""
        with self._changed:
            self._free += taken
            self._changed.notify_all()

"""Calls from many threads as one, for models that do many pictures in little more time than one.

No call waits for others: one that finds the model free runs at once, and those that come while it is busy run together
when it is free again. The first of them runs the batch and wakes the others as soon as it is done.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Call(Generic[Item, Result]):
    """The call of one thread."""

    item: Item
    result: list[Result] = field(default_factory=list)
    """One, once it is there."""
    error: BaseException | None = None
    asleep: threading.Lock = field(default_factory=threading.Lock)
    """Held while the thread has to wait: for its result, or for its turn to run the model."""

    @property
    def done(self) -> bool:
        return bool(self.result) or self.error is not None


class Gathered(Generic[Item, Result]):
    """A function of one item over a function of at most `most`; the latter is never called twice at once."""

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._run, self._most = run, most
        self._changing = threading.Lock()
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._busy = False

    def __call__(self, item: Item) -> Result:
        """The item's result; what the model raises, each of those that shared the call raises."""
        call: _Call[Item, Result] = _Call(item)
        call.asleep.acquire()
        with self._changing:
            self._waiting.append(call)
            first, self._busy = not self._busy, True
        if not first:
            call.asleep.acquire()
        if not call.done:
            self._serve()
        if call.error is not None:
            raise call.error
        return call.result[0]

    def _serve(self) -> None:
        """Runs the oldest calls, of which the calling thread's is the first, and hands the model on."""
        with self._changing:
            calls = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            for call, result in zip(calls, self._run([call.item for call in calls]), strict=True):
                call.result.append(result)
        except BaseException as error:  # It comes out in each thread that waits for it.
            for call in calls:
                call.error = error
        with self._changing:
            self._busy = bool(self._waiting)
            turn = [self._waiting[0]] if self._waiting else []
        for call in (*turn, *calls[1:]):
            call.asleep.release()

"""The photo processes of a run: started when they are needed, lent to one thread at a time, ended when idle."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facesets_dagster.photos.workers.memory_budget import Stopped
from facesets_dagster.photos.workers.process_handle import ProcessHandle

_REUSED_SECONDS = 30.0
"""A process that was idle for longer is not asked again: it is about to end by itself."""
_LOOK_SECONDS = 0.2


class StopSign:
    """Ends what several threads wait for."""

    def __init__(self) -> None:
        self._stopped = False
        self._asked: set[ProcessHandle] = set()
        self._lock = threading.Lock()

    def __call__(self) -> bool:
        """Whether nothing is wanted any more."""
        return self._stopped

    def stop(self) -> None:
        """Ends the processes that are asked now, and lets no other be asked."""
        with self._lock:
            self._stopped = True
            for process in self._asked:
                process.kill()

    @contextmanager
    def asking(self, process: ProcessHandle) -> Iterator[None]:
        """Within the block the process is ended by `stop`. Raises `Stopped` if that was called."""
        with self._lock:
            if self._stopped:
                raise Stopped
            self._asked.add(process)
        try:
            yield
        finally:
            with self._lock:
                self._asked.discard(process)


class ProcessPool:
    """Up to so many processes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._idle: list[ProcessHandle] = []
        self._running = 0

    def lend(self, stopped: Callable[[], bool]) -> ProcessHandle:
        """A process that nobody else asks. Raises `Stopped` once `stopped` says so."""
        self._end_old()
        with self._changed:
            while not self._idle and self._running >= self._most:
                if stopped():
                    raise Stopped
                self._changed.wait(_LOOK_SECONDS)
            if self._idle:
                return self._idle.pop()
            self._running += 1
        try:
            return ProcessHandle()
        except BaseException:
            self._left()
            raise

    def give_back(self, process: ProcessHandle) -> None:
        """The process waits for the next photo."""
        process.idle_since = time.monotonic()
        with self._changed:
            self._idle.append(process)
            self._changed.notify()

    def discard(self, process: ProcessHandle) -> None:
        """Ends a process; another may take its place."""
        self._left()
        process.end()

    def end_idle(self) -> None:
        """Ends the processes that nobody asks."""
        with self._changed:
            ended, self._idle = self._idle, []
        for process in ended:
            self.discard(process)

    def forget(self) -> None:
        """Forgets the processes, which are those of another process, of which this is a fork."""
        for process in self._idle:
            process.forget()
        self._idle = []

    def _end_old(self) -> None:
        limit = time.monotonic() - _REUSED_SECONDS
        with self._changed:
            old = [one for one in self._idle if one.idle_since < limit or not one.is_alive]
            self._idle = [one for one in self._idle if one not in old]
        for process in old:
            self.discard(process)

    def _left(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify()

"""A photo process as the run sees it: started, asked, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.photos.workers.channel import Channel, Message
from facesets_dagster.photos.workers.limits import KEPT_BYTES
from facesets_dagster.photos.workers.shared_pixels import SharedPixels

_ROOT = Path(__file__).parents[3]
_START = "import sys; sys.path.insert(0, sys.argv[3]); from facesets_dagster.photos.workers import photo_process as one"
_REAP_SECONDS = 2.0


class ProcessDied(Exception):
    """The process ended before it answered."""

    def __init__(self, signal_number: int | None) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        """None if it ended by itself."""

    @property
    def how(self) -> str:
        """In words."""
        if self.signal_number is None:
            return "ended by itself"
        return f"was ended by the signal {signal.Signals(self.signal_number).name}"


class ProcessHandle:
    """One process, and its end of the channel. One thread at a time may ask it.

    It is started by a plain call of the interpreter: `multiprocessing` would import the run's main module again, and
    may not be used where a run is a daemonic process itself.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        numbers = (theirs.fileno(), lifeline)
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    f"{_START}; one.main(*map(int, sys.argv[1:3]))",
                    *map(str, numbers),
                    _ROOT,
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=numbers,
                process_group=0,  # Ctrl-C is the run's
            )
        finally:
            theirs.close()
            os.close(lifeline)
        self._channel = Channel(ours)
        self._buffers: dict[int, SharedPixels] = {}
        self._free: deque[int] = deque()
        self._closing = threading.RLock()
        self.idle_since = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ask(self, message: Message, seconds: float) -> tuple[dict[str, object], Sequence[int]]:
        """Sends a message and waits for the answer. Raises `ProcessDied`, or `TimeoutError` after so many seconds."""
        try:
            self._channel.send(message)
            return self._channel.receive(seconds)
        except EOFError:
            raise ProcessDied(self._ended_by()) from None

    def pixels(self, number: int, files: Sequence[int], length: int) -> NDArray[np.uint8]:
        """The first bytes (length,) of a buffer, which is free again once no array looks at them.

        `files`: the buffer's file, if it is new.
        """
        if files:
            self._buffers[number] = SharedPixels(files[0])
        found = self._buffers[number].array(0, length)
        weakref.finalize(found, self._release, number, length)
        return found

    def mask(self, number: int, start: int, length: int) -> NDArray[np.uint8]:
        """A copy of bytes of a buffer."""
        return self._buffers[number].array(start, length).copy()

    def free_buffer(self) -> int | None:
        """A buffer for the next photo; None if a new one has to be made."""
        try:
            return self._free.popleft()
        except IndexError:
            return None

    def put_back(self, number: int | None) -> None:
        """A buffer that was not used."""
        if number is not None:
            self._free.append(number)

    def _release(self, number: int, length: int) -> None:
        with self._closing:
            buffer = self._buffers.get(number)
            if buffer is not None:
                if length > KEPT_BYTES:
                    buffer.empty()
                self._free.append(number)

    def kill(self) -> None:
        """Ends the process, whatever it does; whoever waits for its answer gets `ProcessDied`."""
        self._process.kill()

    def end(self) -> None:
        """Ends it and lets go of all that belongs to it; pixels stay as long as arrays look at them."""
        self._process.kill()
        self.forget()
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that hangs in the system's own code ends later
            self._process.wait(_REAP_SECONDS)

    def forget(self) -> None:
        """Lets go of all that belongs to it and leaves the process alone: it is that of a process that was forked."""
        self._channel.close()
        os.close(self._lifeline)
        with self._closing:
            for buffer in self._buffers.values():
                buffer.close()
            self._buffers.clear()

    def _ended_by(self) -> int | None:
        try:
            code = self._process.wait(_REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return -code if code < 0 else None

"""The process that reads and decodes photos for a run: one file after the other, as the run's messages say.

What belongs here: what runs in that process. It imports what decoding needs and nothing more, because a bucket of ten
photos waits for its start. It ends when the run ends, however that happens: its end of the channel is closed, and the
system's signal for that ends it even in the middle of a decoder.

    read    path, size, mtime_ns, inode, unsure, most, granted  -> (needs) sha256, bytes | foreign | failed
    decode  max_pixels, granted, buffer  -> (needs) shape, buffer, ... | failed
    taken   path, size, mtime_ns, inode, max_pixels  -> taken | failed

A question `needs` is answered by `granted`: bytes, 0 = refused.
"""

import fcntl
import os
import resource
import signal
import socket
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.formats import HEAD_BYTES, decoder_of_format, format_of
from facesets_dagster.photos.workers.channel import Channel, Message
from facesets_dagster.photos.workers.limits import MEGABYTE
from facesets_dagster.photos.workers.opened_file import FileState, opened, read_whole, require_unchanged
from facesets_dagster.photos.workers.shared_pixels import SharedPixels, new_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facesets_dagster.photos.decode import DecodedPhoto

IDLE_SECONDS = 60.0
"""A process that gets no message for so long ends."""
_SLACK = 96 * MEGABYTE
"""Beyond what was granted: small files, what decoders load, stacks of their threads."""
_ENDED = 500
"""Of 1000: how much sooner than others the system ends this process when memory runs out."""


def main(channel: int, lifeline: int) -> None:
    """Serves the run that holds the other ends of these open files."""
    _prepare(lifeline)
    PhotoServer(Channel(socket.socket(fileno=channel))).serve()


def _prepare(lifeline: int) -> None:
    """Signals are the run's; a crash leaves no core; the lifeline's end is this process's."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(_ENDED))
    except OSError:
        return  # another system, or not allowed: then it is ended like any other process


class PhotoServer:
    """Answers messages; holds the bytes of the file that was read last."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._data = b""
        self._limit = _MemoryLimit()
        self._buffers: list[SharedPixels] = []

    def serve(self) -> None:
        """Until the run is gone or has nothing more."""
        actions = {"read": self._read, "decode": self._decode, "taken": self._taken}
        while True:
            try:
                message, _ = self._channel.receive(IDLE_SECONDS)
                actions[str(message["do"])](message)
            except (EOFError, TimeoutError):
                return
            except PhotoError as error:
                self._channel.send({"failed": [error.reason, error.detail]})

    def _read(self, message: Message) -> None:
        self._data = b""
        state = _state(message)
        with opened(str(message["path"]), state) as stream:
            head = stream.read(HEAD_BYTES) if message["unsure"] else b""
            foreign = why_no_photo(head) if message["unsure"] else ""
            if foreign:
                require_unchanged(stream, state)
                self._channel.send({"foreign": foreign})
                return
            size, granted = os.fstat(stream.fileno()).st_size, _number(message["granted"])
            if granted < size <= _number(message["most"]):
                self._limit.allow(_ask_for(self._channel, size, f"it has {size // MEGABYTE} MB"))
            self._data = read_whole(stream, state, _number(message["most"]), head)
        self._channel.send({"sha256": sha256(self._data).hexdigest(), "bytes": len(self._data)})

    def _decode(self, message: Message) -> None:
        from facesets_dagster.photos.decode import decode_photo

        is_new = message["buffer"] is None
        buffer = SharedPixels(new_file()) if is_new else self._buffers[_number(message["buffer"])]
        room = _GrantedRoom(self._channel, self._limit, _number(message["granted"]), buffer)
        try:
            photo = decode_photo(self._data, max_pixels=_number(message["max_pixels"]), room=room)
        except PhotoError:
            if is_new:
                buffer.close()
            raise
        finally:
            self._data = b""
        if is_new:
            self._buffers.append(buffer)
        self._hand_on(photo, buffer, is_new=is_new)

    def _hand_on(self, photo: "DecodedPhoto", buffer: SharedPixels, *, is_new: bool) -> None:
        import numpy as np

        height, width = photo.image.shape[:2]
        place = buffer.array(0, photo.image.size)
        if not np.shares_memory(place, photo.image):
            place[:] = photo.image.reshape(-1)
        if photo.undecoded is not None:
            buffer.array(photo.image.size, height * width)[:] = photo.undecoded.view(np.uint8).reshape(-1)
        number = self._buffers.index(buffer)
        about = {"format": photo.format, "truncated": photo.truncated, "masked": photo.undecoded is not None}
        self._channel.send({"shape": [height, width], "buffer": number, **about}, [buffer.file] * is_new)

    def _taken(self, message: Message) -> None:
        from facesets_dagster.photos.exif import read_taken

        state = _state(message)
        with opened(str(message["path"]), state) as stream:
            require_unchanged(stream, state)
            taken = read_taken(stream, max_pixels=_number(message["max_pixels"]))
        self._channel.send({"taken": taken})


class _GrantedRoom:
    """Implements `Room`: asks the run for memory, and holds this process to it."""

    def __init__(self, channel: Channel, limit: "_MemoryLimit", granted: int, buffer: SharedPixels) -> None:
        self._channel = channel
        self._limit = limit
        self._granted = granted
        self._buffer = buffer
        limit.allow(granted)

    def need(self, needed_bytes: int, /) -> None:
        """Waits for the run's grant; without one the photo is refused."""
        if needed_bytes <= self._granted:
            return
        self._granted = _ask_for(self._channel, needed_bytes, f"decoding it takes about {needed_bytes // MEGABYTE} MB")
        self._limit.allow(self._granted)

    def pixels(self, height: int, width: int, /) -> "NDArray[np.uint8]":
        """In the memory that the run sees."""
        return self._buffer.array(0, height * width * 3).reshape(height, width, 3)


def _ask_for(channel: Channel, needed_bytes: int, why: str) -> int:
    """Waits for the run's grant. Raises `PhotoError` if there is none."""
    channel.send({"needs": needed_bytes})
    answer, _ = channel.receive(None)
    if not answer["granted"]:
        raise PhotoError("needs_too_much_memory", why)
    return _number(answer["granted"])


class _MemoryLimit:
    """The system's limit for the data of this process. Linux alone holds it for all memory: elsewhere there is none."""

    def __init__(self) -> None:
        self._allowed = 0

    def allow(self, more: int) -> None:
        """So many bytes more than the process has now, and the slack; looked up only when it changes."""
        if more == self._allowed or sys.platform != "linux":
            return
        self._allowed = more
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[5]) * resource.getpagesize()
        limit = now + more + _SLACK
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))


def why_no_photo(head: bytes) -> str:
    """Why a file whose name says nothing is not read, by its first bytes; empty for one that is."""
    name = format_of(head)
    if name is None:
        return "neither its name nor its content is a photo's"
    decoder = decoder_of_format(name)
    return "" if decoder is None or decoder.installed else decoder.advice


def _state(message: Message) -> FileState | None:
    if message["size"] is None:
        return None
    inode = None if message["inode"] is None else _number(message["inode"])
    return FileState(_number(message["size"]), _number(message["mtime_ns"]), inode)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

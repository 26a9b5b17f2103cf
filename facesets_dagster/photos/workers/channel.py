"""Messages between a run and its photo processes: JSON objects, a line each, with open files beside them."""

import json
import socket
from collections.abc import Mapping, Sequence

Message = Mapping[str, object]

_PIECE = 1 << 16


class Channel:
    """One end of a socket pair. One message at a time: each is answered before the next."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, message: Message, files: Sequence[int] = ()) -> None:
        """Raises `EOFError` if the other side is gone."""
        data = json.dumps(message).encode() + b"\n"  # ASCII: paths that are no valid Unicode pass too
        try:
            sent = socket.send_fds(self._end, [data], files) if files else 0
            self._end.sendall(data[sent:])
        except ConnectionError:
            raise EOFError from None

    def receive(self, seconds: float | None) -> tuple[dict[str, object], list[int]]:
        """A message and the open files beside it. Raises `EOFError`, or `TimeoutError` after so many seconds."""
        self._end.settimeout(seconds)
        data, files = b"", list[int]()
        while not data.endswith(b"\n"):
            try:
                piece, more, _, _ = socket.recv_fds(self._end, _PIECE, 4)
            except ConnectionError:
                raise EOFError from None
            if not piece:
                raise EOFError
            data, files = data + piece, [*files, *more]
        self._end.settimeout(None)
        found = json.loads(data)
        assert isinstance(found, dict)
        return found, files

    def close(self) -> None:
        """Ends it; the other side reads that it is gone."""
        self._end.close()

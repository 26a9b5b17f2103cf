"""A service of `make dev` as a process: the code server, the web server, or the daemon.

    python -m facesets_dagster.web.service NAME DESCRIPTOR ...

It ends with the process that started it: that one alone holds the other end of the pipe DESCRIPTOR.
"""

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any


def main() -> None:
    """The command."""
    gc.set_threshold(100_000, 50, 100)  # what imports make stays: looking for garbage among it is a fifth of their time
    name, descriptor, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with, args=(int(descriptor),), daemon=True).start()
    _SERVICES[name](arguments)


def _end_with(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.killpg(0, signal.SIGINT)  # its runs as well: `make dev` gives each service a group of its own


def _code_server(arguments: Sequence[str]) -> None:
    """One for web server and daemon: the definitions are loaded once."""
    from dagster._cli.api import grpc_command
    from dagster._core.definitions import instigation_logger

    stock: Any = instigation_logger
    console = stock.create_console_logger
    # What sensors log is kept with their ticks; the terminal gets warnings.
    stock.create_console_logger = lambda name, _: console(name, logging.WARNING)
    grpc_command(list(arguments))


def _web_server(arguments: Sequence[str]) -> None:
    """The guarded one; `arguments`: the code server's socket, then those of `dagster-webserver`."""
    from facesets_dagster.web import webserver

    code_server, *arguments = arguments
    _wait_for(code_server)  # meanwhile the imports above were made
    sys.argv[1:] = arguments
    webserver.main()


def _daemon(arguments: Sequence[str]) -> None:
    from dagster._daemon.cli import run_command

    run_command(list(arguments))


_SERVICES: dict[str, Callable[[Sequence[str]], None]] = {
    "code-server": _code_server,
    "web-server": _web_server,
    "daemon": _daemon,
}


def _wait_for(path: str) -> None:
    """Until somebody listens on the socket."""
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.05)


if __name__ == "__main__":
    main()

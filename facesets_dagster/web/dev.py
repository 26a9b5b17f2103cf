"""`make dev`: what `dagster dev` starts, with the guarded web server in the place of the stock one.

Options as `dagster dev`. Fails rather than start an unguarded server, should a later Dagster start it otherwise.
"""

import signal
import sys
from collections.abc import Sequence
from typing import Any

import dagster._cli.dev

from facesets_dagster.web import webserver

_STOCK_MODULE = "dagster_webserver"


def guarded_command(parts: Sequence[str]) -> list[str]:
    """The command of a service with the stock web server's module replaced."""
    return [webserver.__name__ if part == _STOCK_MODULE else part for part in parts]


def _hear_ctrl_c() -> None:
    """A script starts what it puts in the background (`make dev &`) with SIGINT ignored; so would the children be."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """The command."""
    _hear_ctrl_c()
    webserver.allowed_hosts(sys.argv[1:])
    stock: Any = dagster._cli.dev
    start, guarded = stock.open_ipc_subprocess, list[str]()

    def start_guarded(parts: Sequence[str], **options: Any) -> Any:
        command = guarded_command(parts)
        guarded.extend(part for part in command if part == webserver.__name__)
        if not guarded:
            sys.exit("This Dagster starts its web server otherwise than 1.13 does; it was not started without guard.")
        return start(command, **options)

    stock.open_ipc_subprocess = start_guarded
    stock.dev_command(auto_envvar_prefix="DAGSTER_DEV")


if __name__ == "__main__":
    main()

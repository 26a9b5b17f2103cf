"""What `make dev` starts, as a child process on a free port: for end-to-end tests and for the pictures of the docs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testing.homes import RealHome
from testing.paths import REPOSITORY


@contextmanager
def dev_server(home: RealHome, log: Path) -> Iterator[str]:
    """The address of the guarded web server, once it answers; ends by Ctrl-C, and raises if that does not end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with open(log, "w") as stream:
        child = subprocess.Popen(
            [sys.executable, "-m", "facesets_dagster.web.dev", "-p", str(port)],
            cwd=REPOSITORY,
            env=home.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell starts its background jobs with Ctrl-C ignored, and so would be their children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        deadline = time.monotonic() + 500
        while not answers(address):
            if time.monotonic() > deadline or child.poll() is not None:
                raise RuntimeError(f"the web server did not start; the end of its log:\n{log.read_text()[-4000:]}")
            time.sleep(0.5)
        yield address
        os.killpg(child.pid, signal.SIGINT)
        if child.wait(300):
            raise RuntimeError(f"the server ended with {child.returncode}:\n{log.read_text()[-4000:]}")
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def ask(address: str, query: str) -> dict[str, Any]:
    """The data of a GraphQL answer."""
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read())["data"]  # type: ignore[no-any-return]


def answers(address: str) -> bool:
    """True once GraphQL is served."""
    try:
        return bool(ask(address, "{ version }"))
    except OSError:
        return False

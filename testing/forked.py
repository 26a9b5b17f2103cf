"""Processes of their own without the seconds that importing the platform takes: forked from one that has imported it.

`multiprocessing` keeps that one process; it has run nothing yet, so that what is forked has its own threads, databases
and models as a fresh process has. What has to be a fresh interpreter (how it starts, what it imports, how it answers
to signals) is started by `testing.homes` instead.
"""

import contextlib
import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from testing.homes import RealHome, clean_environment
from testing.paths import REPOSITORY

_IMPORTED = (
    "facesets_dagster.cli.main",
    "facesets_dagster.cli.run",
    "facesets_dagster.definitions",
    "facesets_dagster.linkage.chain_kernels",
    "matplotlib.backends.backend_svg",
    "scipy.sparse.csgraph",
    "alembic.command",
    "insightface",
    "jinja2",
)
"""What a run imports, before and on its way; nothing of it starts a thread that a fork would lack."""


class Forked:
    """A forked process, with as much of `subprocess.Popen` as the tests ask for."""

    def __init__(self, function: str, *arguments: Any, environment: Mapping[str, str], new_session: bool) -> None:
        """`function`: MODULE:NAME, called in the process; an `int` that it returns is the exit code."""
        self._said = tempfile.NamedTemporaryFile("r")  # noqa: SIM115 - as long as this object
        context = _context()
        begun, in_child = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_run, args=(function, arguments, dict(environment), self._said.name, new_session, in_child)
        )
        self._process.start()
        in_child.close()
        with contextlib.suppress(EOFError):  # it is over, and its exit code says why
            begun.recv()  # from now on a signal for its group reaches it
        begun.close()

    @property
    def pid(self) -> int:
        """The process, and its group if it was to lead one."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal that ended it."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises `subprocess.TimeoutExpired` if it runs for longer, in seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Waits for its end; what it wrote to standard output and standard error."""
        self.wait(timeout)
        self._said.seek(0)
        return self._said.read(), None


class ForkedHome(RealHome):
    """A real home whose commands are forked."""

    def start(self, *arguments: str, **options: Any) -> Any:
        """`facesets ARGUMENTS`; the only option is `start_new_session`."""
        return Forked(
            "testing.forked:facesets", *arguments, environment=self.environment,
            new_session=options.get("start_new_session", False),
        )  # fmt: skip


def facesets(*arguments: str) -> None:
    """The command line; ends the process."""
    from facesets_dagster.cli.main import app

    app(list(arguments), prog_name="facesets")


@cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment())  # a console takes its width when its module is imported
    try:
        with contextlib.chdir(REPOSITORY):
            forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(kept)
    return context


def _run(
    function: str, arguments: tuple[Any, ...], environment: dict[str, str], said: str, lead: bool, begun: Connection
) -> None:
    if lead:
        os.setsid()
    descriptor = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(REPOSITORY)
    begun.send(True)
    begun.close()
    module, name = function.split(":")
    found: Callable[..., int | None] = getattr(import_module(module), name)
    raise SystemExit(found(*arguments))

"""A PostgreSQL server of its own for the tests: on a free port, in a temporary folder, gone when they end."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_USER = "facesets"
_SECONDS = 30
"""In which the server must answer."""


class PostgresServer:
    """A server that runs: `folder` holds its data, its log and its socket."""

    def __init__(self, folder: Path, user: pwd.struct_passwd | None) -> None:
        self.folder, self._owner = folder, user.pw_name if user is not None else None
        self._numbers = count(1)
        # Text sorts as in the databases that people have, not by bytes.
        locale = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en-US"]
        made = [str(_program("initdb")), "-D", str(folder / "data"), "-U", _USER, "-A", "trust", "--no-sync", *locale]
        subprocess.run(made, user=self._owner, cwd=folder, check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._start()

    def fresh(self) -> str:
        """The URL of an empty schema: as good as a database, and made at once.

        A server that ended meanwhile is started again, with a warning that holds its log.
        """
        if self.process.poll() is not None:
            warnings.warn(f"PostgreSQL ended ({self.process.returncode}): {self._said()}", stacklevel=2)
            self._start()
        name = f"registry_{next(self._numbers)}"
        _execute(self.port, f"CREATE SCHEMA {name}")
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres?options=-csearch_path%3D{name}"

    def stop(self) -> None:
        """Ends the server, whoever is connected."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(_SECONDS)

    def _start(self) -> None:
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder), "-c", "fsync=off"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(_program("postgres")), "-D", str(self.folder / "data"), *options, "-c", "max_connections=300"],
                user=self._owner,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a signal to the tests' group is not meant for it
            )
        self._wait()

    def _wait(self) -> None:
        import psycopg

        end = time.monotonic() + _SECONDS
        while True:
            try:
                return _execute(self.port, "SELECT 1")
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.process.kill()
                    raise RuntimeError(f"PostgreSQL does not answer: {self._said()}") from None
                time.sleep(0.05)

    def _said(self) -> str:
        return (self.folder / "log").read_text()[-2000:]


def why_no_server() -> str | None:
    """Why no server can be started here; None if one can."""
    if _program("initdb") is None:
        return "PostgreSQL is not installed here (Debian: apt-get install postgresql)"
    if os.getuid() == 0 and _other_user() is None:
        return "PostgreSQL does not run as root, and there is no user `postgres` to run it as"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed here (uv pip install 'psycopg[binary]')"
    return None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Starts a server and stops it. Raises `RuntimeError` with its log if it does not answer."""
    folder = Path(tempfile.mkdtemp(prefix="facesets-postgres-"))
    user = _other_user() if os.getuid() == 0 else None
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = None
    try:
        server = PostgresServer(folder, user)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _execute(port: int, statement: str) -> None:
    import psycopg

    url = f"host=127.0.0.1 port={port} user={_USER} dbname=postgres"
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement)


def _other_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _program(name: str) -> str | None:
    """Debian keeps them off the path."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name)

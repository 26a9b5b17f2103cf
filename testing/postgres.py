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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

_USER = "facesets"
_SECONDS = 30
"""In which the server must answer."""


@dataclass(frozen=True)
class PostgresServer:
    """A server that runs."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def fresh(self) -> str:
        """The URL of an empty schema: as good as a database, and made at once."""
        name = f"registry_{next(self._numbers)}"
        _execute(self.port, f"CREATE SCHEMA {name}")
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres?options=-csearch_path%3D{name}"


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
        server, port = _started(folder, user)
        yield PostgresServer(port)
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # disconnects whoever is there
            server.wait(_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, user: pwd.struct_passwd | None) -> tuple[subprocess.Popen[bytes], int]:
    data, log = folder / "data", folder / "log"
    owner = user.pw_name if user is not None else None
    # Text sorts as in the databases that people have, not by bytes.
    locale = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en-US"]
    made = [str(_program("initdb")), "-D", str(data), "-U", _USER, "-A", "trust", "--no-sync", *locale]
    subprocess.run(made, user=owner, cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off", "-c", "max_connections=300"]
    with open(log, "wb") as stream:
        command = [str(_program("postgres")), "-D", str(data), *options]
        server = subprocess.Popen(command, user=owner, cwd=folder, stdout=stream, stderr=stream)
    _wait_for(server, port, log)
    return server, port


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import psycopg

    end = time.monotonic() + _SECONDS
    while True:
        try:
            return _execute(port, "SELECT 1")
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                server.kill()
                raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)


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

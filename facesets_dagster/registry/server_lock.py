"""One holder at a time on all machines: an advisory lock of PostgreSQL, in a session of its own.

A folder that machines share may not carry file locks from one to the other; the server that they share does. The server
gives the lock back when the session ends: with the holder's process, or with the connection. A holder that lost its
connection does not notice; what it then tries to publish is refused by the generation (`publishing/transaction.py`).
Needs a session: no pooler that hands out connections by transaction.
"""

import hashlib
import time

import sqlalchemy as sa

_POLL_SECONDS = 0.2


class ServerLock:
    """The library's lock on the server of this registry; on SQLite there is none to take."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._session: sa.Connection | None = None

    def acquire(self, timeout_seconds: float) -> bool:
        """False if somebody else still holds it after that time. Raises what SQLAlchemy does without a server."""
        if self._engine.dialect.name != "postgresql":
            return True
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        deadline = time.monotonic() + timeout_seconds
        try:
            key = _key(session)
            while not session.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
                if time.monotonic() >= deadline:
                    _end(session)
                    return False
                time.sleep(_POLL_SECONDS)
        except BaseException:
            _end(session)
            raise
        self._session = session
        return True

    def release(self) -> None:
        """Ends the session, and the lock with it."""
        session, self._session = self._session, None
        if session is not None:
            _end(session)


def _end(session: sa.Connection) -> None:
    session.invalidate()  # not given to others with what it holds
    session.close()


def _key(session: sa.Connection) -> int:
    """Of the schema that the registry lies in: 64 bits, signed."""
    schema = session.scalar(sa.select(sa.func.current_schema()))
    return int.from_bytes(hashlib.sha256(f"facesets library {schema}".encode()).digest()[:8], "big", signed=True)

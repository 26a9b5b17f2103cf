"""What a database says when it cannot do its work now, as one sentence of ours; its address without the password."""

import sqlite3

import sqlalchemy as sa

from facesets_dagster.errors import LibraryCorrupt, RegistryUnavailable
from facesets_dagster.registry.passwords import hidden

_SQLITE = {
    sqlite3.SQLITE_BUSY: "another program has held it locked for a minute. Wait for that program, or end it",
    sqlite3.SQLITE_LOCKED: "another program has held it locked for a minute. Wait for that program, or end it",
    sqlite3.SQLITE_FULL: "its disk is full. Free some space",
    sqlite3.SQLITE_READONLY: "it can only be read. Give this user the right to write it and its folder",
    sqlite3.SQLITE_PERM: "this user may not open it. Give them the right to read and write it and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Expected a file that this user may read and write, in such a folder",
    sqlite3.SQLITE_IOERR: "its disk cannot be read or written. Look at the disk, and whether it is full",
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_PRIMARY = 0xFF
"""The bits of an error code of SQLite that are not its detail."""


def say_in_a_sentence(engine: sa.Engine, database_url: str) -> None:
    """From now on such errors of this engine are raised as `RegistryUnavailable`, with this address.

    What says that the file is damaged is raised as `LibraryCorrupt`.
    """
    address = hidden(database_url)

    @sa.event.listens_for(engine, "handle_error")
    def _translated(context: sa.engine.ExceptionContext) -> None:
        damaged = damage(engine, context.original_exception)
        if damaged is not None:
            raise damaged from None
        reason = reason_of(context.original_exception)
        if reason is not None:
            raise RegistryUnavailable(
                f"The registry {address} cannot be used: {reason}, and do it again. Nothing was changed."
            ) from None


def damage(engine: sa.Engine, error: BaseException | None) -> LibraryCorrupt | None:
    """The sentence for a file that is no sound database; None for another error."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    if not isinstance(error, sqlite3.DatabaseError) or code & _PRIMARY not in _DAMAGE:
        return None
    return LibraryCorrupt(
        f"The registry {engine.url.database} is damaged ({error}). `facesets recover --from-backup` lists its copies, "
        "`facesets recover --dry-run` says what can be rebuilt from the facesets. Nothing was changed."
    )


def reason_of(error: BaseException | None, named_by: str = "FACESETS_DATABASE_URL") -> str | None:
    """Why a database does not do its work now, and what to do, for an error of its driver; None for another error.

    `named_by`: the setting that says where it is.
    """
    if isinstance(error, sqlite3.OperationalError):
        return _SQLITE.get((getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY)
    if not type(error).__module__.startswith("psycopg"):
        return None
    first = (str(error).strip().splitlines() or ["no answer"])[0]
    if type(error).__name__ in ("OperationalError", "DiskFull"):
        return f"its server says {first[:300]!r}. See that it runs and {named_by} names it"
    if type(error).__name__ in ("InsufficientPrivilege", "InvalidSchemaName"):
        return f"its server says {first[:300]!r}. Give its user that right"
    return None

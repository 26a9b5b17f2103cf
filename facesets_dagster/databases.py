"""Servers of databases: with which driver they are reached, and what they say of themselves."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import sqlalchemy as sa

from facesets_dagster.errors import SettingsError

INSTALL = "`uv sync --extra postgres`, or `pip install 'facesets-dagster[postgres]'`"
_REGISTRY_DRIVER = "postgresql+psycopg"
_SECONDS = "5"
"""In which a server must let a connection in that only looks."""


def with_driver(database_url: str) -> sa.URL:
    """The address of a registry with its driver. Raises `sqlalchemy.exc.ArgumentError` for what is no address."""
    url = sa.make_url(database_url)
    return url.set(drivername=_REGISTRY_DRIVER) if url.drivername in ("postgresql", "postgres") else url


@dataclass(frozen=True)
class DatabaseFacts:
    """What answers at an address."""

    driver: str
    """Module and version, e.g. `psycopg 3.3.9`."""
    server: str
    """Product and version, e.g. `PostgreSQL 15.4`."""
    place: str
    """Database and schema; empty for a file."""

    @property
    def text(self) -> str:
        """As one line."""
        return ", ".join(filter(None, (self.server, self.place, f"driver {self.driver}")))


def look_at(url: sa.URL, *, named_by: str) -> DatabaseFacts:
    """Connects, asks and leaves; writes nothing. SQLite's file is not opened: its library answers without.

    Raises `SettingsError` if the driver is not installed, or if no server lets this user in; `named_by`: the setting.
    """
    if url.get_backend_name() == "sqlite":
        import sqlite3

        return DatabaseFacts("sqlite3", f"SQLite {sqlite3.sqlite_version}", "")
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": _SECONDS}
    engine = engine_for(url, named_by=named_by, connect_args=patience, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar()
            database, schema = connection.exec_driver_sql("SELECT current_database(), current_schema()").one()
    except sa.exc.DBAPIError as error:
        raise SettingsError(
            f"The server of {named_by} ({_place(url)}) cannot be used: {_first_line(error)}. See that it runs, that "
            f"{named_by} names it, and that user and password are right. Nothing was changed."
        ) from error
    where = f"schema {schema}" if schema else "the schema is made when it is first written to"
    driver = engine.dialect.driver
    module = getattr(engine.dialect, "dbapi", None)
    release = str(getattr(module, "__version__", "")).split(" ")[0]
    return DatabaseFacts(f"{driver} {release}".strip(), f"PostgreSQL {version}", f"database {database}, {where}")


def engine_for(url: sa.URL, *, named_by: str, **options: Any) -> sa.Engine:
    """An engine for a server. Raises `SettingsError` if its driver is not installed; `named_by`: the setting."""
    try:
        return sa.create_engine(url, **options)
    except ImportError as error:
        raise SettingsError(
            f"{named_by} names a database for which {error.name or 'its driver'} is not installed. Expected the extra "
            f"`postgres`: {INSTALL}."
        ) from error


def require_dagster_storage() -> None:
    """Raises `SettingsError` if the package that keeps Dagster's databases on a server is not installed."""
    for module in ("dagster_postgres", "psycopg2"):
        if find_spec(module) is None:
            raise SettingsError(
                f"Dagster's runs and events are to be kept on a server, and {module} is not installed. Expected the "
                f"extra `postgres`: {INSTALL}. Nothing was changed."
            )


def _place(url: sa.URL) -> str:
    return f"{url.host}:{url.port or 5432}"


def _first_line(error: sa.exc.DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines() or ["no answer"]
    return repr(lines[0][:300])

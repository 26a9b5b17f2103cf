"""Addresses of databases: where a library's registry lies, and Dagster's own storage. Opens nothing.

Dagster's storage needs psycopg 2, and SQLAlchemy 2.1 takes psycopg 3 where an address names no driver; so the driver is
always written down (`DagsterDatabase.storage`).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

DAGSTER_URL, DAGSTER_PASSWORD = "FACESETS_DAGSTER_DATABASE_URL", "FACESETS_DAGSTER_DATABASE_PASSWORD"
"""Names of the settings. Dagster reads the password itself, whenever it opens its storage."""
DAGSTER_DRIVER = "postgresql+psycopg2"
_LONGEST_NAME = 63
"""Bytes of a schema's name in PostgreSQL; longer ones are cut off there."""


def registry_url(home: Path, name: str | None, server: str | None) -> str:
    """The registry of a library of this home; `name` None: the default one, `server`: the address that is set, if any.

    Libraries beside the default one have a schema each on its server, or a file each in the home; one that was begun in
    a file stays there. Raises `ValueError` if the schema's name would be too long.
    """
    file = home / (f"registry_{name}.db" if name else "registry.db")
    if server is None or (name and (server.startswith("sqlite") or file.exists())):
        return f"sqlite:///{file}"
    return server if name is None else _in_schema(server, name)


def _in_schema(server: str, name: str) -> str:
    """The address with a schema of this library's own; its name begins with the default library's, if one is set."""
    parts = urlsplit(server)
    kept, schema = [], ""
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        words = re.sub(r"-c\s+", "-c", value).split() if key == "options" else []
        found = [word for word in words if word.startswith("-csearch_path=")]
        if found:
            schema = found[-1].partition("=")[2].split(",")[0].strip('"') + "_"
        rest = " ".join(word for word in words if word not in found) if key == "options" else value
        if rest or key != "options":
            kept.append((key, rest))
    own = f"{schema}library_{name}"
    if len(own.encode()) > _LONGEST_NAME:
        raise ValueError(own)
    others = [value for key, value in kept if key == "options"]
    options = " ".join([*others, f'-csearch_path="{own}"'])
    query = [*((key, value) for key, value in kept if key != "options"), ("options", options)]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


@dataclass(frozen=True)
class DagsterDatabase:
    """Where Dagster's runs, events and schedules are kept on a server; its password is kept apart."""

    user: str
    host: str
    port: int
    database: str
    parameters: tuple[tuple[str, str], ...] = ()
    """As behind the `?` of an address, e.g. `options` or `sslmode`."""

    @classmethod
    def of(cls, url: str) -> "DagsterDatabase":
        """Reads `postgresql://USER@HOST:PORT/DATABASE`. Raises `ValueError` for anything else, a password included."""
        parts = urlsplit(url)
        user, _, place = parts.netloc.rpartition("@")
        database = parts.path.removeprefix("/")
        if parts.scheme not in ("postgresql", "postgres", DAGSTER_DRIVER) or "password" in parts.query:
            raise ValueError(url)
        if not (user and place and database) or parts.fragment or any(sign in user + database for sign in ":@/"):
            raise ValueError(url)
        host = place if parts.port is None else place.rpartition(":")[0]
        parameters = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return cls(unquote(user), host.rstrip(":"), parts.port or 5432, unquote(database), parameters)

    @property
    def shown(self) -> str:
        """Its address; there is no password in it."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"

    def storage(self, *, has_password: bool) -> dict[str, Any]:
        """What `storage` is in `dagster.yaml`: with the driver, and with a reference in the place of the password."""
        password = {"password": {"env": DAGSTER_PASSWORD}} if has_password else {}
        parameters = {"params": dict(self.parameters)} if self.parameters else {}
        place = {"hostname": self.host, "port": self.port, "db_name": self.database}
        return {
            "postgres": {
                "postgres_db": {"scheme": DAGSTER_DRIVER, "username": self.user, **password, **place, **parameters}
            }
        }

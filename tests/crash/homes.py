"""Homes of crash tests: where each has its registry, and how it is copied together with that."""

import itertools
import os
import shutil
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import sql

from facesets_dagster.library.library import Library
from facesets_dagster.registry.registry import Registry

_ADDRESS = "registry.url"
"""In the home: the address of its registry, if that lies on a server."""
_NUMBERS = itertools.count(1)


def begun(home: Path, server: str | None) -> Path:
    """An empty home with a database of its own on the server of this address; None: with a file."""
    home.mkdir(parents=True)
    if server is not None:
        _make_database(home, server, "template1")
    return home


def url_of(home: Path) -> str:
    """The address of its registry."""
    address = home / _ADDRESS
    return address.read_text() if address.exists() else f"sqlite:///{home / 'registry.db'}"


def settings_of(home: Path) -> dict[str, str]:
    """The setting for it."""
    return {"FACESETS_DATABASE_URL": url_of(home)} if (home / _ADDRESS).exists() else {}


def library_of(home: Path) -> Library:
    """Its library, looked at anew."""
    return Library(home / "facesets_swap_ready", Registry(url_of(home)), ())


def copied(home: Path, target: Path) -> None:
    """A copy of the home and of its registry."""
    shutil.copytree(home, target, copy_function=shutil.copy2)
    if (home / _ADDRESS).exists():
        original = sa.make_url(url_of(home))
        _make_database(target, url_of(home), str(original.database))


def removed(home: Path) -> None:
    """The home and its registry are gone."""
    if (home / _ADDRESS).exists():
        url = sa.make_url(url_of(home))
        with _connection(url) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(url.database))))
    shutil.rmtree(home)


def _make_database(home: Path, server: str, template: str) -> None:
    name = f"crash_{os.getpid()}_{next(_NUMBERS)}"
    url = sa.make_url(server).set(database=name, query={})
    with _connection(url) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template])
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    (home / _ADDRESS).write_text(url.render_as_string(hide_password=False))


def _connection(url: sa.URL) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True)

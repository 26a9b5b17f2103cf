"""A registry of schema 1 made one of schema 2: merges, rejected proposals and names given by hand become rulings.

All of it is one transaction, so a registry is of one schema or of the other, whenever the process ends. SQLite's file
is copied beside it before.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from facesets_dagster.files.writing import sync_folder, temporary_for
from facesets_dagster.identities.identity import ERA_KINDS
from facesets_dagster.identities.merging import Merge, Rows
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.ruling_rows import insert_rulings, now
from facesets_dagster.registry.schema_1 import OldIdentity, OldMerge, SchemaOne

_GONE = ("merge_records", "merge_archives", "rejected_merges")
"""Tables that schema 2 has no more."""


def keep_copy(connection: sa.Connection, ending: str = "schema1") -> Path | None:
    """Copies SQLite's file to `<file>.<ending>`, for its owner alone, and gives its path.

    None for a server, which is backed up by its own means. Nobody must be writing.
    """
    database = connection.engine.url.database
    if connection.dialect.name != "sqlite" or not database or database == ":memory:":
        return None
    path = Path(f"{database}.{ending}")
    with temporary_for(path) as temporary:
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # no files beside it
        os.replace(temporary, path)
    sync_folder(path.parent)
    return path


def to_schema_2(connection: sa.Connection) -> None:
    """Turns the rows of schema 1 into those of schema 2, whose tables must be there, and drops the tables that it has
    no more.
    """
    old = _read(connection)
    insert_rulings(connection, old.rulings())
    _write_base(connection, old)
    _write_records(connection, old)
    archives = [dict(row) for row in _rows(connection, "merge_archives")]
    if archives:
        connection.execute(sa.insert(t.kept_folders), archives)
    for name in _GONE:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    version = t.meta.c.key == "schema_version"
    connection.execute(sa.update(t.meta).where(version).values(value=t.SCHEMA_VERSION))


def _read(connection: sa.Connection) -> SchemaOne:
    members: dict[str, Rows] = {}
    for row in connection.execute(sa.select(t.members).order_by(t.members.c.face_id)).mappings():
        members.setdefault(row["name"], {})[row["face_id"]] = (row["bucket"], row["joined_by"])
    adopted = set(connection.scalars(sa.select(t.adopted.c.name)))
    reasons = {
        row.name: row.reason for row in connection.execute(sa.select(t.tombstones.c.name, t.tombstones.c.reason))
    }
    identities = {
        row["name"]: _identity(row, reasons.get(row["name"]), is_adopted=row["name"] in adopted)
        for row in connection.execute(sa.select(t.identities)).mappings()
    }
    merges = connection.execute(sa.select(t.merges).order_by(t.merges.c.merge_id)).mappings()
    return SchemaOne(
        identities,
        members,
        [OldMerge(Merge(row["merged"], row["keeper"]), row["run_id"], row["undone_by"]) for row in merges],
        sorted((row["first"], row["second"], row["run_id"]) for row in _rows(connection, "rejected_merges")),
        {row["name"]: row["label_given"] for row in _rows(connection, "merge_records")},
        now(),
    )


def _identity(row: sa.RowMapping, reason: str | None, *, is_adopted: bool) -> OldIdentity:
    """Labels of hand-sorted and of legacy face sets come from their folders."""
    is_era = row["kind"] in ERA_KINDS
    return OldIdentity(
        row["name"],
        row["parent"] if is_era else None,
        row["label"],
        row["kind"] == "discovered" and not is_adopted,
        row["live"],
        None if row["live"] else reason,
        row["model_id"] or "",
    )


def _write_base(connection: sa.Connection, old: SchemaOne) -> None:
    """Who is touched, and with which members runs alone would have them; rows keep the run that made them."""
    known = {
        (row.name, row.bucket, row.face_id): row.run_id
        for row in connection.execute(
            sa.select(t.members.c.name, t.members.c.bucket, t.members.c.face_id, t.members.c.run_id)
        )
    }
    made = {row.name: row.run_id for row in connection.execute(sa.select(t.identities.c.name, t.identities.c.run_id))}
    touched = [{"name": name, "touched": True} for name in old.base]
    rows = [
        {"name": name, "bucket": bucket, "face_id": face, "joined_by": how}
        | {"run_id": known.get((name, bucket, face), made.get(name, ""))}
        for name, members in old.base.items()
        for face, (bucket, how) in members.items()
    ]
    for table, values in ((t.ruled_identities, touched), (t.unruled_members, rows)):
        if values:
            connection.execute(sa.insert(table), values)


def _write_records(connection: sa.Connection, old: SchemaOne) -> None:
    """How identities stood before: as schema 1 recorded it; of somebody who was only named, all but the name."""
    columns = {column.name for column in t.stood_before.columns} - {"label"}
    records: dict[str, dict[str, Any]] = {}
    for row in _rows(connection, "merge_records"):
        values = {name: value for name, value in row.items() if name in columns}
        records[row["name"]] = {**dict.fromkeys(sorted(columns)), **values, "label": old.label_before(row["name"])}
    wanted = sa.select(t.identities.c.name, t.identities.c.run_id, t.identities.c.centroid)
    for one in connection.execute(wanted):
        if one.name in old.named and one.name not in records:
            blank = dict.fromkeys(sorted(columns))
            records[one.name] = {
                **blank,
                "name": one.name,
                "run_id": one.run_id,
                "centroid": one.centroid,
                "label": None,
            }
    if records:
        connection.execute(sa.insert(t.stood_before), list(records.values()))


def _rows(connection: sa.Connection, table: str) -> list[Mapping[str, Any]]:
    """All rows of a table of schema 1 as it is; none where an older layout did not have it."""
    if not sa.inspect(connection).has_table(table):
        return []
    known = sa.Table(table, sa.MetaData(), autoload_with=connection)
    return [dict(row) for row in connection.execute(sa.select(known)).mappings()]

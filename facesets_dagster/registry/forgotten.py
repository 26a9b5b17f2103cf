"""What leaves the registry when somebody or something is forgotten, and its file without what left. SQL only."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.ruled import Place
from facesets_dagster.registry.ruling_rows import count_writing
from facesets_dagster.registry.schema import next_generation
from facesets_dagster.registry.snapshot import in_batches

REASON = "forgotten"
"""Of the tombstone of a forgotten face set: its number stays taken."""
_BY_NAME = (t.members, t.unruled_members, t.eras, t.adopted, t.ruled_identities, t.stood_before, t.kept_folders)
_BY_PLACE = (t.members, t.unruled_members, t.decisions, t.joins)
_BY_BUCKET = (
    t.bucket_runs, t.bucket_folders, t.unfinished_runs, t.bucket_extensions, t.decisions, t.joins, t.members,
    t.unruled_members,
)  # fmt: skip
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Gone:
    """What is forgotten, as the registry calls it."""

    names: Collection[str] = ()
    """Identities that go as a whole, their eras and those merged into them among them."""
    places: Collection[Place] = ()
    """Faces, each by bucket and face_id."""
    buckets: Collection[str] = ()
    words: Collection[str] = ()
    """Names of people: reasons of rulings that hold one are removed."""
    founders: Mapping[str, str] = field(default_factory=dict)
    """Identity that stays -> the bucket that counts as its founder from now on."""


def rulings_to_forget(connection: sa.Connection, gone: Gone) -> set[str]:
    """Rulings about somebody who goes, and those of which a side has no face left."""
    faces, found = t.ruling_faces, set[str]()
    for some in in_batches(sorted(gone.names)):
        query = sa.select(t.ruling_names.c.ruling_id).where(t.ruling_names.c.name.in_(some))
        found.update(connection.scalars(query))
    places, buckets = set(gone.places), set(gone.buckets)
    before: dict[str, set[str]] = {}
    after: dict[str, set[str]] = {}
    query = sa.select(faces.c.ruling_id, faces.c.role, faces.c.bucket, faces.c.face_id)
    for ruling_id, role, bucket, face_id in connection.execute(query):
        before.setdefault(ruling_id, set()).add(role)
        if (bucket, face_id) not in places and bucket not in buckets:
            after.setdefault(ruling_id, set()).add(role)
    return found | {one for one, roles in before.items() if roles - after.get(one, set())}


def forget(connection: sa.Connection, gone: Gone, run_id: str) -> dict[str, int]:
    """Removes it from every table; the number of rows by table. Part of a publication's transaction."""
    counts = _forget_rulings(connection, gone)
    for table in _BY_PLACE:
        rows = [{"of": bucket, "face": face_id} for bucket, face_id in sorted(gone.places)]
        where = (table.c.bucket == sa.bindparam("of"), table.c.face_id == sa.bindparam("face"))
        if rows:
            _count(counts, table, connection.execute(sa.delete(table).where(*where), rows).rowcount)
    for some in in_batches(sorted(gone.buckets)):
        for table in _BY_BUCKET:
            _delete(connection, counts, table, table.c.bucket.in_(some))
    for name, bucket in sorted(gone.founders.items()):
        connection.execute(sa.update(t.identities).where(t.identities.c.name == name).values(bucket=bucket))
    for some in in_batches(sorted(gone.names)):
        _forget_people(connection, counts, some, run_id)
    _forget_records(connection, counts, gone)
    _break_off(connection)
    return counts


def _break_off(connection: sa.Connection) -> None:
    """Leaves a generation out: whoever kept an older state of the registry in memory reads all of it again."""
    missing = connection.scalar(sa.select(sa.func.max(t.generations.c.generation)))
    next_generation(connection)
    connection.execute(sa.delete(t.generations).where(t.generations.c.generation == missing))


def _forget_rulings(connection: sa.Connection, gone: Gone) -> dict[str, int]:
    counts: dict[str, int] = {}
    ids = rulings_to_forget(connection, gone)
    for some in in_batches(sorted(ids)):
        for table in (t.ruling_faces, t.ruling_names, t.rulings):
            _delete(connection, counts, table, table.c.ruling_id.in_(some))
        freed = t.rulings.c.superseded_by.in_(some)
        connection.execute(sa.update(t.rulings).where(freed).values(superseded_by=None))
        connection.execute(sa.update(t.decisions).where(t.decisions.c.ruling.in_(some)).values(ruling=None))
    faces, rows = t.ruling_faces, [{"of": bucket, "face": face_id} for bucket, face_id in sorted(gone.places)]
    if rows:
        where = (faces.c.bucket == sa.bindparam("of"), faces.c.face_id == sa.bindparam("face"))
        _count(counts, faces, connection.execute(sa.delete(faces).where(*where), rows).rowcount)
    for some in in_batches(sorted(gone.buckets)):
        _delete(connection, counts, faces, faces.c.bucket.in_(some))
    _forget_in_payloads(connection, {face_id for _, face_id in gone.places})
    for word in sorted(gone.words):
        holds = t.rulings.c.reason.contains(word, autoescape=True)
        connection.execute(sa.update(t.rulings).where(holds).values(reason=None))
    if counts:
        count_writing(connection)
    return counts


def _forget_in_payloads(connection: sa.Connection, faces: set[str]) -> None:
    """Faces that rulings about others name in what their kind needs: the members of an approved face set."""
    for ruling_id, text in connection.execute(sa.select(t.rulings.c.ruling_id, t.rulings.c.payload)).all():
        payload = json.loads(text)
        left = _without(payload, faces)
        if left != payload:
            values = {"payload": json.dumps(left, sort_keys=True)}
            connection.execute(sa.update(t.rulings).where(t.rulings.c.ruling_id == ruling_id).values(**values))


def _without(value: Any, faces: set[str]) -> Any:
    """A value of JSON without these face_ids, in lists and as keys."""
    if isinstance(value, dict):
        return {key: _without(one, faces) for key, one in value.items() if key not in faces}
    if isinstance(value, list):
        return [_without(one, faces) for one in value if not (isinstance(one, str) and one in faces)]
    return None if isinstance(value, str) and value in faces else value


def _forget_people(connection: sa.Connection, counts: dict[str, int], names: Collection[str], run_id: str) -> None:
    known = {row.name: row.number for row in connection.execute(
        sa.select(t.identities.c.name, t.identities.c.number).where(t.identities.c.name.in_(names)))}  # fmt: skip
    for table in _BY_NAME:
        _delete(connection, counts, table, table.c.name.in_(names))
    _delete(connection, counts, t.merges, t.merges.c.merged.in_(names) | t.merges.c.keeper.in_(names))
    _delete(connection, counts, t.identities, t.identities.c.name.in_(names))
    if known:
        connection.execute(sa.delete(t.tombstones).where(t.tombstones.c.name.in_(list(known))))
        stones = [
            {"name": name, "number": number, "reason": REASON, "merged_into": None, "run_id": run_id}
            for name, number in sorted(known.items())
        ]
        connection.execute(sa.insert(t.tombstones), stones)
    table = t.decisions
    near = table.c.nearest.in_(names)
    connection.execute(sa.update(table).where(near).values(nearest=None, nearest_distance=None))
    connection.execute(sa.update(table).where(table.c.ambiguous_with.in_(names)).values(ambiguous_with=None))
    whose = table.c.identity.in_(names)
    connection.execute(sa.update(table).where(whose).values(identity=None, state="outlier", value=None, threshold=None))


def _forget_records(connection: sa.Connection, counts: dict[str, int], gone: Gone) -> None:
    """How identities stood before rulings, where that names one of these faces, or a founder that is forgotten."""
    table, faces = t.stood_before, {face_id for _, face_id in gone.places}
    query = sa.select(table.c.name, table.c.unpublished, table.c.entry, table.c.listed)
    for name, text, *entries in connection.execute(query).all():
        said = json.loads(text)["decisions"] if text else ()
        founders = {json.loads(entry).get("bucket") for entry in entries if entry}
        if any(decision[1] in faces for decision in said):
            _delete(connection, counts, table, table.c.name == name)
        elif not founders.isdisjoint(gone.buckets):
            values = dict.fromkeys(("entry", "listed", "section", "before"))
            connection.execute(sa.update(table).where(table.c.name == name).values(**values))


def _delete(connection: sa.Connection, counts: dict[str, int], table: sa.Table, *where: Any) -> None:
    _count(counts, table, connection.execute(sa.delete(table).where(*where)).rowcount)


def _count(counts: dict[str, int], table: sa.Table, rows: int) -> None:
    if rows > 0:
        counts[table.name] = counts.get(table.name, 0) + rows


def purge(registry: Registry) -> None:
    """Writes the registry's file anew without deleted rows; on a server its tables and their statistics.

    A server's log of changes (WAL) and its backups are its own: they hold what was deleted until it removes them.
    """
    if registry.engine.dialect.name == "sqlite":
        registry.engine.dispose()
        purge_file(Path(str(registry.engine.url.database)))
        return
    with registry.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _purge_tables(connection)


def _purge_tables(connection: sa.Connection) -> None:
    """Writes our tables anew, and the statistics of the server, where values of their columns lie too.

    `ANALYZE` leaves the statistics of an empty table as they are; naming the type of a column drops them.
    """
    named = connection.dialect.identifier_preparer.format_table
    for table in t.metadata.sorted_tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is None:
            types = [(column.name, column.type.compile(connection.dialect)) for column in table.columns]
            columns = ", ".join(f'ALTER COLUMN "{name}" TYPE {kind}' for name, kind in types)
            connection.execute(sa.text(f"ALTER TABLE {named(table)} {columns}"))
    connection.execute(sa.text(f"VACUUM (FULL, ANALYZE) {', '.join(map(named, t.metadata.sorted_tables))}"))
    connection.execute(sa.text("VACUUM FULL pg_catalog.pg_statistic"))


def purge_file(path: Path) -> None:
    """Writes a SQLite file anew: no page of it holds what was deleted, nor does its write-ahead log."""
    database = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    try:
        database.execute("PRAGMA secure_delete = ON")
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()

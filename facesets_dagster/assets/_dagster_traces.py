"""What Dagster keeps of the forgotten: runs with their events and logs, partitions, what it remembers of assets.

Runs of the buckets that lose something are deleted, as are others that name it or show pictures of the whole library.
In SQLite's files every other row that names it goes, and the files are written anew.
"""

import shutil
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

import dagster as dg

from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.remains import Swept
from facesets_dagster.publishing.forgetting.traces import Traces, spellings
from facesets_dagster.registry.forgotten import purge_file

_PARTITION = "dagster/partition"
_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_PICTURE = b"data:image"
_STANDING = ("instigators", "jobs", "kvs", "snapshots", "bulk_actions", "runs")
"""Tables whose rows Dagster needs: what they name is written over."""
_IN_PLACE = b"forgotten"


def clear_instance(instance: dg.DagsterInstance, plan: ForgetPlan, traces: Traces, swept: Swept) -> None:
    """Takes it out of an instance. Databases on a server lose runs and partitions; they clear pages themselves."""
    finished = instance.get_runs(dg.RunsFilter(statuses=list(_FINISHED)))
    gone = [run.run_id for run in finished if _speaks(instance, run, plan, traces)]
    for run_id in gone:
        _delete_run(instance, run_id)
    for bucket in plan.buckets:
        instance.delete_dynamic_partition(str(SOURCE_BUCKET.name), bucket)
    swept.counts["Dagster runs"] += len(gone)
    root = Path(instance.root_directory)
    for path in sorted(root.rglob("*.db")):
        swept.counts["Dagster rows"] += _clear_database(path, traces, set(gone))
        purge_file(path)
    for path in sorted((root / "storage").rglob("*")):
        if path.is_file() and traces.in_file(path):
            swept.remove(path, "logs")


def _speaks(instance: dg.DagsterInstance, run: dg.DagsterRun, plan: ForgetPlan, traces: Traces) -> bool:
    """Whether a run is about a bucket that loses something, names it, or shows pictures of everybody."""
    bucket = run.tags.get(_PARTITION)
    if bucket is not None and bucket in plan.touched_buckets():
        return True
    data = _events(instance, run.run_id) + repr((run.tags, run.run_config)).encode()
    return (bucket is None and _PICTURE in data) or traces.in_bytes(data)


def _events(instance: dg.DagsterInstance, run_id: str) -> bytes:
    """A run's events, as they are stored."""
    shard = _shard(instance, run_id)
    if shard is not None and shard.exists():
        with closing(sqlite3.connect(shard, timeout=60)) as database:
            return b"\n".join(str(row[0]).encode() for row in database.execute("SELECT event FROM event_logs"))
    return "\n".join(dg.serialize_value(event) for event in instance.all_logs(run_id)).encode()


def _shard(instance: dg.DagsterInstance, run_id: str) -> Path | None:
    """SQLite's file of one run's events; None where the events lie elsewhere."""
    path_for = getattr(instance.event_log_storage, "path_for_shard", None)
    return Path(path_for(run_id)) if path_for is not None else None


def _delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.delete_run(run_id)
    shard = _shard(instance, run_id)
    if shard is not None:
        for end in ("", "-wal", "-shm", "-journal"):
            shard.with_name(shard.name + end).unlink(missing_ok=True)
    shutil.rmtree(Path(instance.root_directory) / "storage" / run_id, ignore_errors=True)


def _clear_database(path: Path, traces: Traces, runs: Collection[str]) -> int:
    """Removes rows of deleted runs and rows that name it; gives how many."""
    count = 0
    with closing(sqlite3.connect(path, timeout=60)) as database, database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            if table == "asset_keys":
                count += _renew_assets(database, traces, runs)
            elif table in _STANDING:
                count += _write_over(database, table, columns, traces)
            elif table != "alembic_version":
                count += _delete_rows(database, table, columns, traces, runs)
    return count


def _delete_rows(
    database: sqlite3.Connection, table: str, columns: Sequence[str], traces: Traces, runs: Collection[str]
) -> int:
    gone = []
    of_run = columns.index("run_id") + 1 if "run_id" in columns else None
    for row in database.execute(f'SELECT rowid, * FROM "{table}"'):
        if (of_run is not None and row[of_run] in runs) or any(_named(value, traces) for value in row[1:]):
            gone.append((row[0],))
    database.executemany(f'DELETE FROM "{table}" WHERE rowid = ?', gone)
    return len(gone)


def _write_over(database: sqlite3.Connection, table: str, columns: Sequence[str], traces: Traces) -> int:
    """Words, paths and digests of values that stay: a sensor's cursor names buckets."""
    count = 0
    marks = sorted(spellings({*traces.words, *traces.paths, *traces.faces, *traces.photos}), key=len, reverse=True)
    for rowid, *values in database.execute(f'SELECT rowid, * FROM "{table}"').fetchall():
        for column, value in zip(columns, values, strict=True):
            if not _named(value, traces):
                continue
            data = value if isinstance(value, bytes) else str(value).encode()
            for mark in marks:
                data = data.replace(mark, _IN_PLACE)
            new = data if isinstance(value, bytes) else data.decode()
            database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (new, rowid))
            count += 1
    return count


def _renew_assets(database: sqlite3.Connection, traces: Traces, runs: Collection[str]) -> int:
    """What is remembered of each asset's last materialization: that of the last one that stays, or nothing."""
    count = 0
    query = "SELECT rowid, asset_key, last_run_id, last_materialization, asset_details, tags, cached_status_data"
    for rowid, key, run_id, *values in database.execute(f"{query} FROM asset_keys").fetchall():
        last = values[0] or ""
        if run_id not in runs and not any(one in last for one in runs) and not any(_named(v, traces) for v in values):
            continue
        left = database.execute(
            "SELECT event, run_id FROM event_logs WHERE asset_key = ? AND dagster_event_type = 'ASSET_MATERIALIZATION' "
            "ORDER BY id DESC LIMIT 1", (key,)
        ).fetchone()  # fmt: skip
        database.execute(
            "UPDATE asset_keys SET last_materialization = ?, last_run_id = ?, asset_details = NULL, tags = NULL, "
            "cached_status_data = NULL WHERE rowid = ?",
            (*(left or (None, None)), rowid),
        )
        count += 1
    return count


def _named(value: object, traces: Traces) -> bool:
    if isinstance(value, str):
        return traces.in_text(value)
    return isinstance(value, bytes) and traces.in_bytes(value)

"""Buckets whose last run did not come to its end: ended by a person, failed, or killed.

A bucket is settled once its run has published and reported it (`settle`); until then the library is up to no state of
its folder, so that the next run takes it up, and what was published and not reported is on record.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import insert_into
from facesets_dagster.registry.registry import Registry

UNDER_WAY = "published, not reported yet"
"""The reason until the run says how it ended; one that is killed says nothing."""
KILLED = "its process is gone: killed, or the machine went down"
WITH_THE_SERVER = "ended with the server that ran it"
BY_A_PERSON = "ended by a person"


@dataclass(frozen=True)
class UnfinishedRun:
    """The last run of a bucket."""

    run_id: str
    reason: str
    """Why it ended, in a few words."""
    since: float
    """When that was noted, seconds since the epoch."""
    unreported: Mapping[str, list[str]]
    """What became of facesets ("founded", ...) -> names; in no report yet."""

    @property
    def goes_on_by_itself(self) -> bool:
        """True unless a person ended it or it failed: then the same would come of the next one."""
        return self.reason in (UNDER_WAY, KILLED, WITH_THE_SERVER)


def unfinished_runs(registry: Registry) -> dict[str, UnfinishedRun]:
    """Bucket -> its last run, of those that did not come to their end."""
    with registry.engine.connect() as connection:
        rows = connection.execute(sa.select(t.unfinished_runs).order_by(t.unfinished_runs.c.bucket)).mappings()
        return {row["bucket"]: _unfinished(row) for row in rows}


def unfinished_run(registry: Registry, bucket: str) -> UnfinishedRun | None:
    """The last run of this bucket if it did not come to its end."""
    query = sa.select(t.unfinished_runs).where(t.unfinished_runs.c.bucket == bucket)
    with registry.engine.connect() as connection:
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _unfinished(row)


def note_unreported(connection: sa.Connection, bucket: str, run_id: str, unreported: Mapping[str, list[str]]) -> None:
    """Records what is published in this transaction, instead of what was on record for the bucket."""
    values = {"run_id": run_id, "reason": UNDER_WAY, "since": time.time(), "unreported": json.dumps(dict(unreported))}
    insert = insert_into(connection, t.unfinished_runs)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["bucket"], set_=values), {"bucket": bucket, **values}
    )
    _note_folder(connection, bucket, "")


def note_unfinished(registry: Registry, buckets: Iterable[str], run_id: str, reason: str) -> None:
    """Records that the run ended before its end, and why; what it has not reported stays on record."""
    values = {"run_id": run_id, "reason": reason, "since": time.time()}
    with registry.engine.begin() as connection:
        insert = insert_into(connection, t.unfinished_runs)
        for bucket in buckets:
            row = {"bucket": bucket, **values, "unreported": "{}"}
            connection.execute(insert.on_conflict_do_update(index_elements=["bucket"], set_=values), row)
            _note_folder(connection, bucket, "")


def settle(registry: Registry, bucket: str, folder_digest: str, *, run_again: bool = False) -> None:
    """Records that everything is reported, and that the library is up to this state of the bucket's folder.

    `run_again`: up to none, so that the next run takes the bucket up, with the faces that could join known people.
    """
    with registry.engine.begin() as connection:
        connection.execute(sa.delete(t.unfinished_runs).where(t.unfinished_runs.c.bucket == bucket))
        if run_again:
            connection.execute(sa.delete(t.bucket_extensions).where(t.bucket_extensions.c.bucket == bucket))
        _note_folder(connection, bucket, "" if run_again else folder_digest)


def _unfinished(row: sa.RowMapping) -> UnfinishedRun:
    return UnfinishedRun(row["run_id"], row["reason"], row["since"], json.loads(row["unreported"]))


def _note_folder(connection: sa.Connection, bucket: str, digest: str) -> None:
    insert = insert_into(connection, t.bucket_folders)
    row = {"bucket": bucket, "folder_digest": digest}
    connection.execute(insert.on_conflict_do_update(index_elements=["bucket"], set_={"folder_digest": digest}), row)

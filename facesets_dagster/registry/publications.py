"""Which runs made an identity what it is: from the rows that they wrote."""

from dataclasses import dataclass

import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry


@dataclass(frozen=True)
class Joined:
    """Faces that one run brought to an identity from one bucket."""

    run_id: str
    bucket: str
    faces: int
    finished_at: str | None
    """Of the run, ISO 8601, where it was the last one of the bucket."""


def joined_by_runs(registry: Registry, name: str) -> list[Joined]:
    """Of an identity's members, the latest runs first, those without a date last."""
    members, runs = t.members, t.bucket_runs
    same = (runs.c.bucket == members.c.bucket) & (runs.c.run_id == members.c.run_id)
    columns = [members.c.run_id, members.c.bucket]
    query = (
        sa.select(*columns, sa.func.count(), sa.func.max(runs.c.finished_at))
        .select_from(members.outerjoin(runs, same))
        .where(members.c.name == name)
        .group_by(*columns)
    )
    with registry.engine.connect() as connection:
        found = [Joined(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]
    return sorted(found, key=lambda one: (one.finished_at or "", one.faces), reverse=True)

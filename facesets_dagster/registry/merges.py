"""Merges that are true in the library: whose name leads to whom. They follow from the rulings."""

from collections.abc import Sequence

import sqlalchemy as sa

from facesets_dagster.identities.merging import Merge
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry


def redirects(registry: Registry) -> dict[str, str]:
    """Merged name -> the identity that it leads to, chains followed to their end. An era leads to a person."""
    return dict(registry.snapshot().redirects)


def merges_in_force(registry: Registry) -> tuple[Merge, ...]:
    """Oldest first."""
    query = sa.select(t.merges.c.merged, t.merges.c.keeper).where(t.merges.c.undone_by.is_(None))
    with registry.engine.connect() as connection:
        return tuple(Merge(row.merged, row.keeper) for row in connection.execute(query.order_by(t.merges.c.merge_id)))


def merged_once(registry: Registry) -> set[str]:
    """Names that were ever merged, whether or not it was undone."""
    with registry.engine.connect() as connection:
        return set(connection.scalars(sa.select(t.merges.c.merged)))


def write_merges(connection: sa.Connection, before: Sequence[Merge], after: Sequence[Merge], run_id: str) -> None:
    """New ones are entered, those that are gone are marked undone."""
    for merge in after:
        if merge not in before:
            connection.execute(sa.insert(t.merges).values(merged=merge.merged, keeper=merge.keeper, run_id=run_id))
    for merge in before:
        if merge in after:
            continue
        this = (t.merges.c.merged == merge.merged, t.merges.c.keeper == merge.keeper, t.merges.c.undone_by.is_(None))
        connection.execute(sa.update(t.merges).where(*this).values(undone_by=run_id))

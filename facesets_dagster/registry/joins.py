"""Joins of the second stage of clustering, on record for every face that came to its person by one."""

import polars as pl
import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry

JOIN_SCHEMA = pl.Schema(
    {
        "face_id": pl.String,
        "distance": pl.Float64,
        "threshold": pl.Float64,
        "faces": pl.Int32,
        "others": pl.Int32,
    }
)
"""Cosine distance of the means of the two pieces, its limit, faces in the smaller and in the larger piece."""


def joins_of(registry: Registry, bucket: str) -> pl.DataFrame:
    """Rows of `JOIN_SCHEMA`: of the faces of a bucket, by face_id."""
    columns = [t.joins.c[name] for name in JOIN_SCHEMA.names()]
    query = sa.select(*columns).where(t.joins.c.bucket == bucket).order_by(t.joins.c.face_id)
    with registry.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=JOIN_SCHEMA, orient="row")


def replace_joins(connection: sa.Connection, bucket: str, joins: pl.DataFrame) -> None:
    """Puts these rows in the place of those that the bucket has."""
    connection.execute(sa.delete(t.joins).where(t.joins.c.bucket == bucket))
    rows = joins.with_columns(bucket=pl.lit(bucket)).to_dicts()
    if rows:
        connection.execute(sa.insert(t.joins), rows)

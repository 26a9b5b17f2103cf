"""Set arithmetic between a bucket's listing and its cached tables; no file is opened here."""

import polars as pl

from facesets_dagster.faces.schema import FILE_SCHEMA, READ
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.photos.listing import ForeignFile, PhotoFile

_STAT = ["path", "size", "mtime_ns", "ctime_ns", "inode"]


def split_known(
    files: tuple[PhotoFile, ...], cached: pl.DataFrame, contents: pl.DataFrame, *, retry_failed: bool
) -> tuple[pl.DataFrame, list[PhotoFile]]:
    """Cached rows that are still true, and the files that have to be opened.

    A row is true if the file's status is unchanged and its content was read (or is to be retried).
    """
    read = contents
    if retry_failed:
        read = contents.filter(pl.col("status").is_in(READ))
    known = _listed(files).join(cached, on=_STAT, how="inner").join(read.select("sha256"), on="sha256", how="semi")
    paths = set(known["path"])
    return known.select(FILE_SCHEMA.names()), [file for file in files if file.path not in paths]


def assemble(
    cached: CacheTables, files: tuple[PhotoFile, ...], foreign: tuple[ForeignFile, ...], known: pl.DataFrame
) -> CacheTables:
    """The tables as they should stand after a scan: file rows of the listing, faces with canonical path and aliases.

    The canonical path of a content is the first of its paths in sorted order. Contents that no file holds any more
    keep their rows; their faces are flagged `source_missing` and keep the path that they had.
    """
    rows = pl.concat([known, cached.files]).unique("path", keep="last", maintain_order=True)
    listed = _listed(files).join(rows.drop(_STAT[1:]), on="path", how="inner")
    statuses = cached.contents.select("sha256", found_status="status", found_detail="detail")
    listed = listed.join(statuses, on="sha256", how="left").with_columns(
        status=pl.coalesce("found_status", "status"), detail=pl.coalesce("found_detail", "detail")
    )
    passed_over = [{"path": file.path, "status": "foreign", "detail": file.reason} for file in foreign]
    listed = listed.select(FILE_SCHEMA.names())
    listed = pl.concat([listed, pl.DataFrame(passed_over, schema=FILE_SCHEMA)]).sort("path")
    paths = listed.drop_nulls("sha256").group_by("sha256").agg(pl.col("path").sort())
    paths = paths.select("sha256", first=pl.col("path").list.first(), others=pl.col("path").list.slice(1))
    faces = cached.faces.join(cached.contents.select("sha256"), on="sha256", how="semi")
    faces = faces.join(paths, on="sha256", how="left").with_columns(
        source_missing=pl.col("first").is_null(),
        path=pl.coalesce("first", "path"),
        aliases=pl.coalesce("others", pl.lit([], dtype=pl.List(pl.String))),
    )
    faces = faces.select(cached.faces.columns).sort("face_id")
    return CacheTables(faces, cached.contents.sort("sha256"), listed)


def _listed(files: tuple[PhotoFile, ...]) -> pl.DataFrame:
    columns = {name: [getattr(file, name) for file in files] for name in _STAT}
    return pl.DataFrame(columns, schema={name: FILE_SCHEMA[name] for name in _STAT})

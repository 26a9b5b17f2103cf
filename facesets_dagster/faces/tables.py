"""The cached tables of a bucket, for a listing: set arithmetic, no file is opened here."""

import polars as pl

from facesets_dagster.faces.schema import FILE_SCHEMA
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.photos.listing import LISTING_SCHEMA, BucketListing

_STATE = LISTING_SCHEMA.names()
_PATHS = ["path", "aliases", "source_missing"]


def file_table(
    listing: BucketListing, known: pl.DataFrame, cached: pl.DataFrame, contents: pl.DataFrame
) -> pl.DataFrame:
    """A row (`FILE_SCHEMA`) per file of the listing, sorted by path.

    `known`: rows that are still true; `cached`: rows on record, of which those of files that were just read are true;
    `contents`: `sha256`, `status` and `detail` of what was read.
    """
    rows = pl.concat([cached, known.join(cached.select("path"), on="path", how="anti")])
    listed = listing.candidates.join(rows.drop(_STATE[1:]), on="path", how="inner", maintain_order="left")
    statuses = contents.select("sha256", found_status="status", found_detail="detail")
    listed = listed.join(statuses, on="sha256", how="left", maintain_order="left").with_columns(
        status=pl.coalesce("found_status", "status"), detail=pl.coalesce("found_detail", "detail")
    )
    passed_over = [{"path": file.path, "status": "foreign", "detail": file.reason} for file in listing.foreign]
    return pl.concat([listed.select(FILE_SCHEMA.names()), pl.DataFrame(passed_over, schema=FILE_SCHEMA)]).sort("path")


def paths_of_faces(faces: pl.DataFrame, files: pl.DataFrame, contents: pl.DataFrame) -> pl.DataFrame:
    """Where each face lies now: `face_id`, `path`, `aliases`, `source_missing`, and `moved` if that changed.

    The canonical path of a content is the first of its paths in sorted order. Faces of contents that no file holds any
    more are flagged `source_missing` and keep the path that they had. Those of a content that is not on record (the
    run was cut off before it was) are left out.

    `faces`: rows of the face table with at least these columns and `sha256`; `files`: as `file_table` returns them.
    """
    first = files.drop_nulls("sha256").sort("path").group_by("sha256", maintain_order=True).agg("path")
    first = first.select("sha256", first=pl.col("path").list.first(), others=pl.col("path").list.slice(1))
    whole = faces.select("face_id", "sha256", *_PATHS).join(contents.select("sha256"), on="sha256", how="semi")
    placed = whole.join(first, on="sha256", how="left").select(
        "face_id",
        path=pl.coalesce("first", "path"),
        aliases=pl.coalesce("others", pl.lit([], dtype=pl.List(pl.String))),
        source_missing=pl.col("first").is_null(),
        was=pl.struct(_PATHS),
    )
    return placed.with_columns(moved=pl.struct(_PATHS) != pl.col("was")).drop("was")


def with_paths(faces: pl.DataFrame, paths: pl.DataFrame) -> pl.DataFrame:
    """The rows of the face table that `paths` has, with their paths of now, sorted by `face_id`."""
    placed = faces.drop(_PATHS).join(paths.select("face_id", *_PATHS), on="face_id", how="inner")
    return placed.select(faces.columns).sort("face_id")


def whole_tables(cached: CacheTables, files: pl.DataFrame, paths: pl.DataFrame) -> CacheTables:
    """The tables of a bucket brought up to the listing."""
    return CacheTables(with_paths(cached.faces, paths), cached.contents.sort("sha256"), files)

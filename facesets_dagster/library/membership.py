"""A bucket's faces and who of them is a member; the rows of members wherever they come from."""

from collections.abc import Callable, Iterable, Mapping

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.library.library import Library

StoreOf = Callable[[str], FaceStore]
"""Bucket -> its cached tables."""


def bucket_faces(store: FaceStore, library: Library, bucket: str) -> pl.DataFrame:
    """The face table of a bucket, sorted by face_id.

    Members whose photo was gone when the cache was made again come from their faceset's `members.parquet`, flagged
    `source_missing`: nothing is unpublished because a cache was deleted.
    """
    faces = store.columns("faces")
    kept = lost_members(library, bucket, library.snapshot().members_of(bucket), faces["face_id"])
    if kept is not None:
        faces = pl.concat([faces, kept.select(faces.columns)])
    return faces.sort("face_id")


def lost_members(
    library: Library, bucket: str, members: Mapping[str, str], cached: Iterable[str]
) -> pl.DataFrame | None:
    """Rows of members of a bucket (face_id -> identity) that are not among the cached faces; None without any."""
    lost = members.keys() - set(cached)
    kept = library.member_rows(sorted({members[face_id] for face_id in lost})) if lost else None
    if kept is None:
        return None
    kept = kept.filter(pl.col("face_id").is_in(list(lost)) & (pl.col("bucket") == bucket)).unique("face_id")
    return kept.with_columns(source_missing=pl.lit(True))


def judged_faces(faces: pl.DataFrame, members: Mapping[str, str]) -> pl.DataFrame:
    """The faces that a run decides on: those whose photo is there, and members (face_id -> identity) whose is not."""
    return faces.filter(~pl.col("source_missing") | pl.col("face_id").is_in(list(members)))


def rows_of_members(library: Library, store_of: StoreOf, wanted: Mapping[str, str | None]) -> pl.DataFrame | None:
    """Rows of the face table of members (face_id -> bucket), and of the other faces of their photos.

    Where no bucket is given, it is the first one through which the face is somebody's member. None if nothing is known
    of any.
    """
    bucket_of = {face_id: bucket for face_id, bucket in wanted.items() if bucket is not None}
    anywhere = wanted.keys() - bucket_of.keys()
    if anywhere:
        places = library.snapshot().rows_of_faces(anywhere).sort("bucket").unique("face_id", keep="first")
        bucket_of.update(places.select("face_id", "bucket").iter_rows())
    buckets: dict[str, list[str]] = {}
    for face_id, bucket in bucket_of.items():
        buckets.setdefault(bucket, []).append(face_id)
    frames = []
    for bucket, face_ids in sorted(buckets.items()):
        faces = bucket_faces(store_of(bucket), library, bucket)
        photos = faces.filter(pl.col("face_id").is_in(face_ids))["sha256"]
        copies = [face_id for face_id, home in bucket_of.items() if home != bucket]
        frames.append(faces.filter(pl.col("sha256").is_in(photos.implode()) & ~pl.col("face_id").is_in(copies)))
    return pl.concat(frames).unique("face_id", keep="first", maintain_order=True) if frames else None

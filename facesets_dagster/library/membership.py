"""A bucket's faces and who of them is a member; the rows of members wherever they come from."""

from collections.abc import Callable, Iterable

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.library.library import Library

StoreOf = Callable[[str], FaceStore]
"""Bucket -> its cached tables."""


def own_names(library: Library, bucket: str, *, retired: bool) -> list[str]:
    """Names of the identities that the bucket founded, eras aside; live ones or all."""
    return [
        identity.name
        for identity in library.registry.identities()
        if identity.bucket == bucket and not identity.is_era and (identity.live or retired)
    ]


def members_of_bucket(library: Library, bucket: str) -> dict[str, str]:
    """face_id -> live identity, whoever founded it, that has this face of the bucket as a member; eras aside."""
    people = [identity.name for identity in library.registry.identities() if identity.live and not identity.is_era]
    rows = library.registry.memberships(bucket=bucket)
    return dict(rows.filter(pl.col("name").is_in(people)).select("face_id", "name").iter_rows())


def copies_of_members(library: Library, bucket: str) -> dict[str, str]:
    """face_id -> live identity that has this face as a member through other buckets; eras aside."""
    people = [identity.name for identity in library.registry.identities() if identity.live and not identity.is_era]
    rows = library.registry.memberships()
    rows = rows.filter(pl.col("name").is_in(people) & (pl.col("bucket") != bucket))
    return dict(rows.sort("name", descending=True).select("face_id", "name").iter_rows())


def bucket_faces(store: FaceStore, library: Library, bucket: str) -> pl.DataFrame:
    """The face table of a bucket, sorted by face_id.

    Members whose photo was gone when the cache was made again come from their faceset's `members.parquet`, flagged
    `source_missing`: nothing is unpublished because a cache was deleted.
    """
    faces = store.read().faces
    members = members_of_bucket(library, bucket)
    lost = set(members) - set(faces["face_id"])
    if lost:
        kept = library.member_rows(sorted({members[face_id] for face_id in lost}))
        if kept is not None:
            kept = kept.filter(pl.col("face_id").is_in(list(lost)) & (pl.col("bucket") == bucket))
            kept = kept.with_columns(source_missing=pl.lit(True))
            faces = pl.concat([faces, kept.select(faces.columns).unique("face_id")])
    return faces.sort("face_id")


def rows_of_members(library: Library, store_of: StoreOf, face_ids: Iterable[str]) -> pl.DataFrame | None:
    """Rows of the face table of members of any bucket, and of the other faces of their photos.

    A face that is on record in several buckets comes from the first one. None if nothing is known of any.
    """
    wanted = set(face_ids)
    places = library.registry.memberships(face_ids=wanted).sort("bucket").unique("face_id", keep="first")
    frames = []
    for (bucket,), group in places.group_by("bucket", maintain_order=True):
        faces = bucket_faces(store_of(str(bucket)), library, str(bucket))
        photos = faces.filter(pl.col("face_id").is_in(group["face_id"].implode()))["sha256"]
        frames.append(faces.filter(pl.col("sha256").is_in(photos.implode())))
    return pl.concat(frames).unique("face_id", keep="first", maintain_order=True) if frames else None

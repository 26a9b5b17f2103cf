"""A bucket's faces and who of them is a published member."""

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.library.library import Library


def own_names(library: Library, bucket: str, *, retired: bool) -> list[str]:
    """Names of the identities that the bucket founded, live ones or all."""
    return [
        identity.name
        for identity in library.registry.identities()
        if identity.bucket == bucket and (identity.live or retired)
    ]


def own_members(library: Library, bucket: str) -> dict[str, str]:
    """face_id -> own live identity that has it as a member."""
    members = library.registry.members(own_names(library, bucket, retired=False))
    return {face_id: name for name, faces in members.items() for face_id in faces}


def bucket_faces(store: FaceStore, library: Library, bucket: str) -> pl.DataFrame:
    """The face table of a bucket, sorted by face_id.

    Members whose photo was gone when the cache was made again come from their faceset's `members.parquet`, flagged
    `source_missing`: nothing is unpublished because a cache was deleted.
    """
    faces = store.read().faces
    members = own_members(library, bucket)
    lost = set(members) - set(faces["face_id"])
    if lost:
        kept = library.member_rows(sorted({members[face_id] for face_id in lost}))
        if kept is not None:
            kept = kept.filter(pl.col("face_id").is_in(list(lost))).with_columns(source_missing=pl.lit(True))
            faces = pl.concat([faces, kept.select(faces.columns).unique("face_id")])
    return faces.sort("face_id")

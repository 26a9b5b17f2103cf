"""Brings the cache of a bucket up to its listing after the new files were read, at the cost of what is new.

The face table is by far the largest (2 kB a face): ten photos more are ten rows beside it, until there are so many
that the table is written again.
"""

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.faces.tables import file_table, paths_of_faces, whole_tables, with_paths
from facesets_dagster.photos.listing import BucketListing


def refresh_cache(store: FaceStore, listing: BucketListing, known: pl.DataFrame) -> None:
    """File rows of the listing, faces with canonical path and aliases. `known`: rows that were true before the scan.

    The file table is written last: that it agrees with the listing proves that the faces do.
    """
    contents = store.columns("contents", "sha256", "status", "detail")
    files = file_table(listing, known, store.columns("files"), contents)
    faces = store.columns("faces", "face_id", "sha256", "path", "aliases", "source_missing")
    paths = paths_of_faces(faces, files, contents)
    if len(paths) != len(faces) or store.is_scattered():
        store.compact(whole_tables(store.read(), files, paths))
        return
    moved = paths.filter("moved")
    store.amend(with_paths(store.columns("faces"), moved) if len(moved) else None, files)

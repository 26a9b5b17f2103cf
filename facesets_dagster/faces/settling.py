"""The cache of a bucket brought up to a listing after what is new was read, at the cost of what is new.

The face table is by far the largest (2 kB a face): ten photos more are ten rows beside it, until there are so many
that it is worth its while to be written again.
"""

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.faces.tables import file_table, places_of_faces, whole_tables, with_places
from facesets_dagster.photos.listing import BucketListing


def bring_up(store: FaceStore, listing: BucketListing, known: pl.DataFrame) -> None:
    """File rows of the listing, faces with canonical path and aliases. `known`: rows that were true before the scan.

    The file table is written last: that it agrees with the listing proves that the faces do.
    """
    contents = store.columns("contents", "sha256", "status", "detail")
    files = file_table(listing, known, store.columns("files"), contents)
    faces = store.columns("faces", "face_id", "sha256", "path", "aliases", "source_missing")
    places = places_of_faces(faces, files, contents)
    if len(places) != len(faces) or store.is_scattered():
        store.compact(whole_tables(store.read(), files, places))
        return
    moved = places.filter("moved")
    store.amend(with_places(store.columns("faces"), moved) if len(moved) else None, files)

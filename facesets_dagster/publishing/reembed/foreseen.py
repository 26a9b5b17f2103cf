"""What embedding a home anew would come to, before anything is read or written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.reanchoring import speaks
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.legacy.sources import photo_files
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf
from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.publishing.reembed.old_faces import cached_buckets, old_faces
from facesets_dagster.registry.rulings import rulings_in_force


@dataclass(frozen=True)
class Photos:
    """The photos of a home that the new model is to see."""

    there: frozenset[str]
    """Digests of contents that the old model has read and that are there now."""
    to_read: int
    """Contents that the new model has not read yet, and files that nobody has."""
    absent: Mapping[str, int]
    """Bucket whose folder is not there -> contents that the old model has read in it."""
    bytes_needed: int
    """On disk, by the size of the old cache."""


@dataclass(frozen=True)
class Foreseen:
    """What becomes of a library, as far as can be told before its photos are read again."""

    photos: Photos
    by_picture: int
    """Members whose photo is gone, that their faceset shows: their embeddings come from its pictures."""
    left: Mapping[str, int]
    """Faceset -> members whose photo is gone, of which no picture is left: they cannot be carried over."""
    dormant: tuple[Ruling, ...]
    """Rulings that would sleep."""


def photos_of(home: Home, old_model: str, store_of: StoreOf) -> Photos:
    """`store_of`: the second cache, which may be begun."""
    buckets = cached_buckets(home.cache_dir, old_model)
    folders, there, known, unread, size = home.folders(), set[str](), set[str](), 0, 0
    absent: dict[str, int] = {}
    for bucket in buckets:
        store = FaceStore.cached(home.cache_dir, bucket, old_model)
        size += sum(path.stat().st_size for path in store.folder.rglob("*.parquet"))
        files = store.columns("files", "sha256")
        if bucket not in folders:
            absent[bucket] = files["sha256"].n_unique()
            continue
        now = set(_paths(home, bucket, files["path"].to_list()))
        there |= set(files.filter(pl.col("path").is_in(list(now)))["sha256"].drop_nulls())
        known |= set(store_of(bucket).columns("contents", "status")["sha256"])
        unread += len(now - set(files["path"]))
    return Photos(frozenset(there), len(there - known) + unread, absent, size)


def foresee(library: Library, home: Home, old_model: str, new_model: str, photos: Photos) -> Foreseen:
    """For one library of the home; `photos` are those of the whole home."""
    content_of = dict(old_faces(library, home.cache_dir, old_model).select("face_id", "sha256").iter_rows())
    known = library.registry.identities()
    live = {one.name for one in known if one.live and not one.is_era}
    shown = _pictures(library, sorted(live))
    left, carried, in_use = dict[str, int](), set[str](), set[str]()
    for name, _, face_id, _ in library.registry.memberships().iter_rows():
        if content_of.get(face_id) in photos.there or face_id in shown:
            in_use.add(name)
            carried |= {face_id} if content_of.get(face_id) not in photos.there else set()
        elif name in live:
            left[name] = left.get(name, 0) + 1
    dormant = [
        ruling
        for ruling in rulings_in_force(library.registry)
        if not speaks(ruling, _there(ruling, photos, carried), new_model, in_use)
    ]
    return Foreseen(photos, len(carried), dict(sorted(left.items())), tuple(dormant))


def _there(ruling: Ruling, photos: Photos, carried: set[str]) -> list[tuple[str, str]]:
    return [
        (face.role, face.face_id)
        for face in ruling.faces
        if face.photo_sha256 in photos.there or face.face_id in carried
    ]


def _pictures(library: Library, names: Sequence[str]) -> dict[str, Path]:
    return {face: path for face, path in library.published_faces(list(names)).items() if path.exists()}


def _paths(home: Home, bucket: str, known: Sequence[str]) -> list[str]:
    if bucket == LEGACY:
        return [file.path for file in photo_files(Path("/"), known)]
    return home.listing(bucket).candidates["path"].to_list()

"""The faces of a library, found again with another model: which is which, and those that are not found."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from facesets_dagster.faces.schema import READ, face_schema
from facesets_dagster.identities.reanchoring import Boxes, renamed_in
from facesets_dagster.identities.rulings import Ruling, RulingFace
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf
from facesets_dagster.publishing.reembed.old_faces import (
    COLUMNS,
    boxes_by_content,
    boxes_of_rulings,
    cached_buckets,
    old_faces,
)
from facesets_dagster.publishing.reembed.pictures import FromPictures

Why = Literal["photo_gone", "not_found"]
Place = tuple[str, str]
"""Bucket, face_id."""


@dataclass(frozen=True)
class SeenAnew:
    """The faces of a library as another model sees them."""

    renamed: Mapping[str, str]
    """face_id of the old model -> of the new one."""
    rows: pl.DataFrame
    """Rows of the face table, of the new model: all faces of the photos of members and of rulings."""
    pictures: Mapping[str, Path]
    """face_id -> picture of a face whose photo is gone."""
    places: frozenset[Place]
    """(bucket, face_id) of every face that the new model has."""
    left: Mapping[Place, Why]
    """Members that it does not have."""


@dataclass(frozen=True)
class NewCaches:
    """The second cache: of all buckets, read with the new model."""

    cache_dir: Path
    store_of: StoreOf
    model_id: str
    dim: int

    def faces(self) -> pl.DataFrame:
        """All faces (`COLUMNS`), by bucket and face."""
        names = [name for name in COLUMNS if name != "face_id"]
        frames = [pl.DataFrame(schema={name: face_schema(1)[name] for name in COLUMNS})]
        frames += [self.store_of(bucket).columns("faces", *names).select(COLUMNS) for bucket in self.buckets()]
        return pl.concat(frames)

    def read_contents(self) -> set[str]:
        """Digests of the contents that could be read."""
        tables = [self.store_of(bucket).columns("contents", "status") for bucket in self.buckets()]
        return {sha for table in tables for sha in table.filter(pl.col("status").is_in(READ))["sha256"]}

    def rows_of(self, contents: Collection[str]) -> pl.DataFrame:
        """Whole rows of all faces of these contents."""
        frames = [pl.DataFrame(schema=face_schema(self.dim))]
        for bucket in self.buckets():
            frames.append(self.store_of(bucket).columns("faces").filter(pl.col("sha256").is_in(list(contents))))
        return pl.concat(frames)

    def buckets(self) -> list[str]:
        """All that were read."""
        return cached_buckets(self.cache_dir, self.model_id)


def see_anew(
    library: Library,
    old_model: str,
    caches: NewCaches,
    members: Collection[Place],
    rulings: Sequence[Ruling],
    from_pictures: FromPictures,
) -> SeenAnew:
    """`members`: of all identities, those that have them without rulings included."""
    old = old_faces(library, caches.cache_dir, old_model)
    spoken_of = [face for ruling in rulings for face in ruling.faces]
    new = caches.faces()
    renamed = _renamed(old, spoken_of, boxes_by_content(new))
    content_of = dict(old.select("face_id", "sha256").iter_rows())
    wanted = {content_of[face] for _, face in members if face in content_of}
    rows = caches.rows_of(wanted | {face.photo_sha256 for face in spoken_of})
    rows = _in_their_buckets(rows, [(bucket, renamed[face]) for bucket, face in members if face in renamed])
    lost = sorted(place for place in members if place[1] not in renamed)
    read = caches.read_contents()
    gone = [place for place in lost if content_of.get(place[1]) not in read]
    carried = _carried(library, old, gone, from_pictures, caches.dim)
    renamed.update({face: face for face in carried["face_id"]})
    kept = _places(carried)
    left: dict[Place, Why] = {
        place: "photo_gone" if place in gone else "not_found" for place in lost if place not in kept
    }
    rows = pl.concat([rows, carried])
    places = frozenset([*_places(new), *_places(rows)])
    return SeenAnew(renamed, rows, from_pictures.found, places, left)


def _renamed(old: pl.DataFrame, spoken_of: Sequence[RulingFace], after: Mapping[str, Boxes]) -> dict[str, str]:
    """face_id -> the new one: of the old model's faces, and of faces of rulings that no table has any more."""
    known = set(old["face_id"])
    by_model: dict[str, list[RulingFace]] = {}
    for face in spoken_of:
        if face.face_id not in known:
            by_model.setdefault(face.model_id, []).append(face)
    renamed: dict[str, str] = {}
    of_rulings = [boxes_of_rulings(faces) for _, faces in sorted(by_model.items())]
    for before in (*of_rulings, boxes_by_content(old)):
        for sha256, boxes in before.items():
            if sha256 in after:
                renamed.update(renamed_in(boxes, after[sha256]))
    return renamed


def _places(rows: pl.DataFrame) -> set[Place]:
    return set(rows.select("bucket", "face_id").iter_rows())


def _in_their_buckets(rows: pl.DataFrame, places: Sequence[Place]) -> pl.DataFrame:
    """With rows of members whose photo is gone from their bucket while another bucket has its bytes."""
    there = _places(rows)
    absent = pl.DataFrame(sorted(set(places) - there), schema={"home": pl.String, "face_id": pl.String}, orient="row")
    once = rows.unique("face_id", keep="first", maintain_order=True)
    copies = once.join(absent, on="face_id", how="inner", maintain_order="left")
    copies = copies.with_columns(bucket=pl.col("home"), source_missing=pl.lit(True)).drop("home")
    return pl.concat([rows, copies.select(rows.columns)])


def _carried(
    library: Library, old: pl.DataFrame, gone: Sequence[Place], from_pictures: FromPictures, dim: int
) -> pl.DataFrame:
    """Rows of members whose photo is gone, by the pictures of their facesets."""
    schema = face_schema(dim)
    places = pl.DataFrame(list(gone), schema={"bucket": pl.String, "face_id": pl.String}, orient="row")
    rows = old.join(places, on=["bucket", "face_id"], how="semi").sort("bucket", "face_id")
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    shown = library.published_faces([one.name for one in library.registry.identities()])
    found = [
        seen
        for row in rows.iter_rows(named=True)
        if row["face_id"] in shown and (seen := from_pictures.see(row, shown[row["face_id"]])) is not None
    ]
    return pl.DataFrame([{name: row[name] for name in schema} for row in found], schema=schema)

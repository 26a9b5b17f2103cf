"""What is uncertain in the library and the buckets, ranked by what an answer changes: the call behind `doubtful_faces`.

Reads registry and caches; opens no photo and changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.analysis.inventory import Inventory
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.identities.bindings import united
from facesets_dagster.identities.coverage import stands_for_somebody
from facesets_dagster.identities.doubts import (
    Doubt,
    Margins,
    People,
    is_answered,
    of_join,
    of_left_over,
    of_members,
    of_one_photo,
    of_outlier,
    of_people,
    ranked,
)
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.handles import described
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.standing import two_people
from facesets_dagster.registry.joins import joins_of

_DOUBT = {
    "doubt_id": (pl.String(), "kind, first face and people; the same doubt has the same one in every run"),
    "rank": (pl.Int64(), "1 = an answer changes most"),
    "kind": (pl.String(), "what the doubt is: a word of the glossary"),
    "question": (pl.String(), "what has to be answered"),
    "change": (pl.Float64(), "faces that an answer is expected to move: chance of another answer x moved"),
    "moved": (pl.Int64(), "faces that another answer would move"),
    "value": (pl.Float64(), "the number that decided: a cosine distance, or of between_two how much nearer"),
    "threshold": (pl.Float64(), "what it was compared with"),
    "identity": (pl.String(), "the person that the faces belong to, or are near"),
    "other": (pl.String(), "the other person, if there are two"),
    "face_id": (pl.String(), "the face to look at"),
    "identity_face_id": (pl.String(), "the largest face of that person, to compare it with"),
    "other_face_id": (
        pl.String(),
        "of same_photo the other face in the photo; else the largest face of the other person",
    ),
    "face_ids": (pl.List(pl.String()), "all faces that would move; of near_people only the one to look at"),
    "bucket": (pl.String(), "bucket of face_id"),
    "path": (pl.String(), "its photo, relative to the bucket"),
    "sha256": (pl.String(), "digest of the photo's bytes"),
    "model_id": (pl.String(), "digest of the weights and det_size"),
}
DOUBT_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _DOUBT.items()})
DOUBT_COLUMNS = {name: words for name, (_, words) in _DOUBT.items()}


@dataclass(frozen=True)
class _Known:
    """Members of people with their vectors."""

    faces: pl.DataFrame
    """Rows of the face table of members and others, one per face_id."""
    unit: NDArray[np.float32]
    row_of: dict[str, int]
    members: pl.DataFrame
    """`face_id`, `name`: of people, each face once."""
    people: People


def find_doubts(inventory: Inventory, library: Library, pack: ModelPack, margins: Margins) -> pl.DataFrame:
    """Rows of `DOUBT_SCHEMA`, by rank. Raises `ModelMismatch` for faces of another model."""
    require_one_model(inventory.faces, pack.model_id, "the face cache")
    known = _known(inventory, pack)
    shown = _shown(known)
    buckets = sorted(known.faces["bucket"].unique().to_list())
    ids = known.faces["face_id"].to_list()
    said = united(bindings_of(library, bucket, pack.model_id, pack.dim, ids) for bucket in buckets)
    everything = [
        *_of_members(known, margins),
        *_of_photos(known, margins),
        *_of_buckets(known, library, margins),
        *of_people(known.people, shown, frozenset(two_people(library)), margins),
    ]
    open_ones = [doubt for doubt in everything if not is_answered(doubt, said)]
    return _table(ranked(open_ones), inventory, known, shown, pack.model_id)


def _known(inventory: Inventory, pack: ModelPack) -> _Known:
    people = sorted(
        (one for one in inventory.identities.values() if stands_for_somebody(one) and not one.is_era),
        key=lambda one: one.name,
    )
    faces = inventory.faces
    unit = normalised(faces["embedding"].to_numpy().reshape(-1, pack.dim))
    names = [one.name for one in people]
    members = inventory.memberships.filter(
        pl.col("name").is_in(names) & pl.col("face_id").is_in(faces["face_id"].implode())
    )
    members = (
        members.select("face_id", "name").unique("face_id", keep="first", maintain_order=True).sort("name", "face_id")
    )
    sizes = dict(members.group_by("name").len().iter_rows())
    centroids = np.array([one.centroid for one in people], np.float32).reshape(len(people), pack.dim)
    found = People(names, [one.family for one in people], centroids, [sizes.get(name, 0) for name in names])
    return _Known(faces, unit, {face_id: row for row, face_id in enumerate(faces["face_id"])}, members, found)


def _vectors(known: _Known, face_ids: Sequence[str]) -> NDArray[np.float32]:
    return known.unit[[known.row_of[face_id] for face_id in face_ids]]


def _of_members(known: _Known, margins: Margins) -> list[Doubt]:
    ids = known.members["face_id"].to_list()
    return of_members(ids, _vectors(known, ids), known.members["name"].to_list(), known.people, margins) if ids else []


def _of_photos(known: _Known, margins: Margins) -> Iterator[Doubt]:
    photos = known.members.join(known.faces.select("face_id", "sha256"), on="face_id", how="left")
    twice = photos.filter(pl.len().over("name", "sha256") > 1).sort("name", "sha256", "face_id")
    for (name, _), rows in twice.group_by("name", "sha256", maintain_order=True):
        ids = rows["face_id"].to_list()
        centroid = known.people.centroids[known.people.rows[str(name)]]
        yield from of_one_photo(ids, _vectors(known, ids), str(name), centroid, margins)


def _of_buckets(known: _Known, library: Library, margins: Margins) -> Iterator[Doubt]:
    """What the funnels and the joins on record leave in doubt."""
    owner = dict(known.members.iter_rows())
    for bucket in sorted(known.faces["bucket"].unique().to_list()):
        joins = joins_of(library.registry, bucket)
        for (value, threshold, *_), rows in joins.group_by(
            "distance", "threshold", "faces", "others", maintain_order=True
        ):
            ids = [face_id for face_id in rows["face_id"].to_list() if face_id in owner]
            for name in sorted({owner[face_id] for face_id in ids}):
                mine = [face_id for face_id in ids if owner[face_id] == name]
                yield of_join(mine, name, float(str(value)), float(str(threshold)), margins)
        decided = library.registry.decisions(bucket).filter(pl.col("nearest").is_in(list(known.people.rows)))
        decided = decided.filter(pl.col("face_id").is_in(list(known.row_of)) & ~pl.col("face_id").is_in(list(owner)))
        for face_id, name, value, threshold in (
            decided.filter(pl.col("state") == "outlier").select("face_id", "nearest", "value", "threshold").iter_rows()
        ):
            yield of_outlier(face_id, name, value, threshold, margins)
        small = decided.filter(pl.col("state") == "small_cluster").sort("nearest_distance", "face_id")
        for (name,), rows in small.group_by("nearest", maintain_order=True):
            near = rows.filter(pl.col("nearest_distance") <= margins.cover_distance + margins.margin)
            if len(near):
                yield of_left_over(near["face_id"].to_list(), str(name), near["nearest_distance"][0], margins)


def _shown(known: _Known) -> dict[str, str]:
    """Name -> the largest face of each person."""
    sizes = known.faces.select("face_id", "face_short")
    largest = known.members.join(sizes, on="face_id", how="left").sort(
        "face_short", "face_id", descending=[True, False]
    )
    return dict(largest.unique("name", keep="first", maintain_order=True).select("name", "face_id").iter_rows())


def _table(
    doubts: Sequence[Doubt], inventory: Inventory, known: _Known, shown: Mapping[str, str], model_id: str
) -> pl.DataFrame:
    places = known.faces.select("face_id", "bucket", "path", "sha256")
    rows = [
        {
            "doubt_id": ":".join(
                (doubt.kind, doubt.faces[0] if doubt.faces else "", doubt.identity, doubt.other or "")
            ),
            "rank": rank,
            "kind": doubt.kind,
            "question": question(doubt, inventory.identities),
            "change": doubt.change,
            "moved": doubt.moved,
            "value": doubt.value,
            "threshold": doubt.threshold,
            "identity": doubt.identity,
            "other": doubt.other,
            "face_id": doubt.faces[0] if doubt.faces else None,
            "identity_face_id": shown.get(doubt.identity),
            "other_face_id": doubt.other_face or shown.get(doubt.other or ""),
            "face_ids": list(doubt.faces),
            "model_id": model_id,
        }
        for rank, doubt in enumerate(doubts, start=1)
    ]
    schema = {name: dtype for name, dtype in DOUBT_SCHEMA.items() if name not in {"bucket", "path", "sha256"}}
    table = pl.DataFrame(rows, schema=schema).join(places, on="face_id", how="left", maintain_order="left")
    return table.select(DOUBT_SCHEMA.names())


def question(doubt: Doubt, identities: dict[str, Identity]) -> str:
    """In plain words."""
    name, other = (described(identities[one]) if one in identities else one for one in (doubt.identity, doubt.other))
    faces = "this face" if doubt.moved == 1 else f"these {doubt.moved} faces"
    verb = "Is" if doubt.moved == 1 else "Are"
    return {
        "between_two": f"{verb} {faces} {name}, or {other}?",
        "near_join": f"{verb} {faces} {name}?",
        "near_outlier": f"{verb} {faces} {name}?",
        "same_photo": f"The photo shows {name} twice. Is this face a second picture of them, or somebody else?",
        "few_photos": f"{verb} {faces} {name}, or somebody with too few photos for a face set?",
        "near_people": f"Are {name} and {other} one person?",
    }[doubt.kind]

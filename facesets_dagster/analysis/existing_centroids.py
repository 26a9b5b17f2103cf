"""Centroids of all identities as a table, and what is wrong among them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from facesets_dagster.analysis.close_pairs import ClosePair, close_pairs
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.identity import Identity, stacked
from facesets_dagster.library.library import Library
from facesets_dagster.library.model import require_model
from facesets_dagster.library.numbering import ForeignFaceset
from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.registry.snapshot import Snapshot

CENTROID_COLUMNS = {
    "identity_id": "row of the registry; null for a legacy faceset",
    "name": "faceset or era name",
    "number": "its number; an era has its parent's",
    "kind": "auto, hand_sorted, era or discovered",
    "parent": "of an era: the identity that it splits",
    "bucket": "bucket that founded it",
    "label": "the person's name, if someone gave it",
    "founded": "library generation at which it was founded",
    "origin": "registry, or legacy (adopted read-only from FACESETS_LEGACY)",
    "model_id": "model of the centroid",
    "centroid": "unit mean of the unit embeddings of its exported faces; null where unknown",
    "generation": "library generation of this snapshot",
}


_OF_AN_IDENTITY = ("identity_id", "name", "number", "kind", "parent", "bucket", "label", "founded", "model_id")


@dataclass(frozen=True)
class CentroidCheck:
    """What would make the table unfit or doubtful."""

    numbers_twice: list[int]
    close_pairs: list[ClosePair]
    """Nearest first."""


def centroid_schema(dim: int) -> pl.Schema:
    """Schema of the table for embeddings of length `dim`."""
    text = dict.fromkeys(("name", "kind", "parent", "bucket", "label", "origin", "model_id"), pl.String())
    types: dict[str, pl.DataType] = {
        **text,
        "identity_id": pl.Int64(),
        "number": pl.Int64(),
        "founded": pl.Int64(),
        "generation": pl.Int64(),
        "centroid": pl.Array(pl.Float32, dim),
    }
    return pl.Schema({name: types[name] for name in CENTROID_COLUMNS})


def centroid_table(library: Library, pack: ModelPack) -> pl.DataFrame:
    """Live identities of the registry and of the legacy roots. Raises `ModelMismatch` for another model's centroids."""
    known, facesets = library.snapshot(), library.legacy_facesets()
    made = _MADE.get(known)
    if made is None or made[:2] != (facesets, pack):
        made = _MADE[known] = (facesets, pack, *_table(known, facesets, pack))
    return made[2]


_MADE: WeakKeyDictionary[Snapshot, tuple[list[ForeignFaceset], ModelPack, pl.DataFrame, list[Identity]]]
_MADE = WeakKeyDictionary()
"""The table of a snapshot and its identities: as long as nothing changes, nothing is made, written or read again."""


def _table(known: Snapshot, facesets: Sequence[ForeignFaceset], pack: ModelPack) -> tuple[pl.DataFrame, list[Identity]]:
    live = [identity for identity in known.live() if identity.kind != "thin_era"]
    require_model(live, pack)
    from_legacy = [identity.name for identity in live if identity.bucket == LEGACY]
    adopted = known.adopted_among([*from_legacy, *(faceset.name for faceset in facesets)])
    identities = [*live, *(_listed(faceset) for faceset in facesets if faceset.name not in adopted)]
    schema, centroids = centroid_schema(pack.dim), [identity.centroid for identity in identities]
    columns: dict[str, list[object]] = {name: list(map(attrgetter(name), identities)) for name in _OF_AN_IDENTITY}
    columns["identity_id"] = [identity.identity_id or None for identity in identities]
    is_legacy = [identity.name in adopted or not identity.identity_id for identity in identities]
    columns["origin"] = ["legacy" if legacy else "registry" for legacy in is_legacy]
    unknown = np.zeros(pack.dim, np.float32)
    vectors = stacked([unknown if one is None else one for one in centroids], pack.dim)
    centroid = pl.Series("centroid", vectors, dtype=schema["centroid"])
    if any(one is None for one in centroids):
        is_known = pl.Series([one is not None for one in centroids], dtype=pl.Boolean)
        centroid = pl.select(pl.when(is_known).then(centroid)).to_series()
    generation = pl.lit(known.generation, pl.Int64)
    table = pl.DataFrame(columns, schema={name: schema[name] for name in columns})
    return table.with_columns(centroid=centroid, generation=generation).select(list(schema)), identities


def _listed(faceset: ForeignFaceset) -> Identity:
    """A legacy faceset of which only the name is known."""
    return Identity(0, faceset.name, faceset.number, faceset.kind, faceset.parent, None, None, True, 0, None, None)


def check_centroids(
    known: Snapshot, table: pl.DataFrame, cover_distance: float, remembered: Path | None = None
) -> CentroidCheck:
    """Numbers with two owners, and identities of different families within `cover_distance` of each other.

    `remembered`: a file with the pairs of an earlier table; those of identities that did not change are taken from it.
    """
    owners = Counter(table.filter(pl.col("kind") != "era")["number"].to_list())
    twice = sorted(number for number, count in owners.items() if count > 1)
    return CentroidCheck(twice, close_pairs(known, cover_distance, remembered))


def identities_of(table: pl.DataFrame) -> list[Identity]:
    """The identities of a centroid table."""
    for *_, made, identities in _MADE.values():
        if made is table:
            return list(identities)
    return _identities_in(table)


def _identities_in(table: pl.DataFrame) -> list[Identity]:
    known = table["centroid"].is_not_null()
    vectors = iter(table["centroid"].drop_nulls().to_numpy())
    columns = table.select(pl.col("identity_id").fill_null(0), *_OF_AN_IDENTITY[1:]).rows()
    return [
        Identity(
            **dict(zip(_OF_AN_IDENTITY, row, strict=True)), live=True, centroid=next(vectors) if has_centroid else None
        )
        for row, has_centroid in zip(columns, known, strict=True)
    ]

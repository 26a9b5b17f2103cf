"""Centroids of all identities as a table, and what is wrong among them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.analysis.close_pairs import ClosePair, close_pairs
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.identity import Identity
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
    return _table(library.snapshot(), tuple(library.legacy_facesets()), pack)


@lru_cache(maxsize=1)
def _table(known: Snapshot, facesets: tuple[ForeignFaceset, ...], pack: ModelPack) -> pl.DataFrame:
    """The same object as long as nothing changes, so that nothing is written or read again."""
    live = [identity for identity in known.live() if identity.kind != "thin_era"]
    require_model(live, pack)
    from_legacy = [identity.name for identity in live if identity.bucket == LEGACY]
    adopted = known.adopted_among([*from_legacy, *(faceset.name for faceset in facesets)])
    listed = _listed([faceset for faceset in facesets if faceset.name not in adopted], pack.dim)
    rows = pl.concat([_rows_of(live, adopted, pack.dim), listed])
    return rows.with_columns(generation=pl.lit(known.generation, pl.Int64)).select(list(CENTROID_COLUMNS))


def _rows_of(live: Sequence[Identity], adopted: Collection[str], dim: int) -> pl.DataFrame:
    """All columns but the generation."""
    schema = centroid_schema(dim)
    columns = {name: pl.Series([getattr(one, name) for one in live], dtype=schema[name]) for name in _OF_AN_IDENTITY}
    origin = ["legacy" if identity.name in adopted else "registry" for identity in live]
    unknown = np.zeros(dim, np.float32)
    vectors = np.array([unknown if one.centroid is None else one.centroid for one in live], np.float32)
    centroid = pl.Series("centroid", vectors.reshape(len(live), dim), dtype=schema["centroid"])
    is_known = pl.Series([identity.centroid is not None for identity in live], dtype=pl.Boolean)
    table = pl.DataFrame({**columns, "origin": pl.Series(origin, dtype=pl.String)})
    return table.with_columns(centroid=pl.when(is_known).then(centroid))


def _listed(facesets: Sequence[ForeignFaceset], dim: int) -> pl.DataFrame:
    """The columns of `_rows_of` for legacy facesets of which only the name is known."""
    known = [(one.name, one.number, one.kind, one.parent, 0, "legacy") for one in facesets]
    schema = centroid_schema(dim)
    given = ("name", "number", "kind", "parent", "founded", "origin")
    rows = pl.DataFrame(known, schema={name: schema[name] for name in given}, orient="row")
    columns = (*_OF_AN_IDENTITY, "origin", "centroid")
    return rows.select(pl.col(name) if name in given else pl.lit(None, schema[name]).alias(name) for name in columns)


def check_centroids(
    known: Snapshot, table: pl.DataFrame, cover_distance: float, remembered: Path | None = None
) -> CentroidCheck:
    """Numbers with two owners, and identities of different families within `cover_distance` of each other.

    `remembered`: a file with the pairs of an earlier table; those of identities that did not change are taken from it.
    """
    owners = Counter(table.filter(pl.col("kind") != "era")["number"].to_list())
    twice = sorted(number for number, count in owners.items() if count > 1)
    return CentroidCheck(twice, close_pairs(known, cover_distance, remembered))


_IDENTITIES: dict[int, tuple[pl.DataFrame, tuple[Identity, ...]]] = {}
"""Of the last table, by its address."""


def identities_of(table: pl.DataFrame) -> list[Identity]:
    """The identities of a centroid table."""
    if id(table) not in _IDENTITIES:
        _IDENTITIES.clear()
        _IDENTITIES[id(table)] = table, tuple(_identities_in(table))
    return list(_IDENTITIES[id(table)][1])


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

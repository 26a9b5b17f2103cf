"""Centroids of all identities as a table, and what is wrong among them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.library.model import require_model

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


@dataclass(frozen=True)
class ClosePair:
    """Two identities of different families that look like one person."""

    first: str
    second: str
    distance: float
    """Cosine distance of their centroids."""

    def __str__(self) -> str:
        return f"{self.first} and {self.second}: {self.distance:.3f}"


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


def centroid_table(library: Library, pack: ModelPack, cover_distance: float) -> tuple[pl.DataFrame, CentroidCheck]:
    """Live identities of the registry and of the legacy roots. Raises `ModelMismatch` for another model's centroids."""
    generation = library.registry.generation()
    live = [i for i in library.registry.identities() if i.live and i.kind != "thin_era"]
    require_model(live, pack)
    adopted = library.registry.adopted()
    legacy = [faceset for faceset in library.legacy_facesets() if faceset.name not in adopted]
    origin = dict.fromkeys(adopted, "legacy")
    rows = [
        {**_row(identity), "origin": origin.get(identity.name, "registry"), "generation": generation}
        for identity in live
    ]
    rows += [
        {
            "name": faceset.name,
            "number": faceset.number,
            "kind": faceset.kind,
            "parent": faceset.parent,
            "founded": 0,
            "origin": "legacy",
            "generation": generation,
        }
        for faceset in legacy
    ]
    schema = centroid_schema(pack.dim)
    table = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
    owners = Counter(int(str(row["number"])) for row in rows if row["kind"] != "era")
    return table, CentroidCheck(
        sorted(number for number, count in owners.items() if count > 1), _close_pairs(live, cover_distance)
    )


def identities_of(table: pl.DataFrame) -> list[Identity]:
    """The identities of a centroid table."""
    fields = ("name", "number", "kind", "parent", "bucket", "label", "founded", "model_id")
    return [
        Identity(
            identity_id=row["identity_id"] or 0,
            live=True,
            centroid=None if row["centroid"] is None else np.asarray(row["centroid"], np.float32),
            **{name: row[name] for name in fields},
        )
        for row in table.iter_rows(named=True)
    ]


def _row(identity: Identity) -> dict[str, object]:
    row = {name: getattr(identity, name) for name in CENTROID_COLUMNS if hasattr(identity, name)}
    row["centroid"] = None if identity.centroid is None else identity.centroid.tolist()
    return row


def _close_pairs(live: list[Identity], cover_distance: float) -> list[ClosePair]:
    """Pairs of different families within `cover_distance`, nearest first."""
    known = [identity for identity in live if identity.centroid is not None]
    if len(known) < 2:
        return []
    distance = cosine_distance(np.array([i.centroid for i in known]), np.array([i.centroid for i in known]))
    first, second = np.nonzero(np.triu(distance <= cover_distance, k=1))
    pairs = sorted(
        ((float(distance[a, b]), known[a], known[b]) for a, b in zip(first, second, strict=True)),
        key=lambda pair: (pair[0], pair[1].name, pair[2].name),
    )
    return [ClosePair(a.name, b.name, value) for value, a, b in pairs if a.family != b.family]

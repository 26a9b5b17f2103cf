"""Identities of different families that lie near each other: found once, then only for those that changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.files.writing import write_parquet
from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.identity import Identity, stacked
from facesets_dagster.registry.schema import State
from facesets_dagster.registry.snapshot import Snapshot

PAIR_SCHEMA = pl.Schema({"first": pl.String, "second": pl.String, "distance": pl.Float32})
"""Names of two identities, the older one first, and the cosine distance of their centroids."""

_BLOCK = 1024
"""Identities that are held against all others at once."""


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
class _Remembered:
    """Pairs as they were found for a state of the registry."""

    state: State
    pairs: pl.DataFrame


def close_pairs(known: Snapshot, cover_distance: float, remembered: Path | None = None) -> list[ClosePair]:
    """Pairs within `cover_distance`, nearest first.

    `remembered`: a Parquet file with the pairs of an earlier state, which is brought up; None remembers nothing.
    """
    last = _read(remembered, cover_distance) if remembered is not None else None
    if last is None or last.state != known.state:
        pairs = _pairs(known, cover_distance, last)
        if remembered is not None and known.state.mark is not None:
            _write(remembered, _Remembered(known.state, pairs), cover_distance)
    else:
        pairs = last.pairs
    ordered = pairs.sort("distance", "first", "second")
    return [ClosePair(*row) for row in ordered.iter_rows()]


def _pairs(known: Snapshot, cover_distance: float, last: _Remembered | None) -> pl.DataFrame:
    live = [one for one in known.live() if one.kind != "thin_era" and one.centroid is not None]
    changed = known.changed_since(last.state) if last is not None else None
    if last is None or changed is None:
        return _found(live, range(len(live)), cover_distance)
    names = [identity.name for identity in changed]
    stay = last.pairs.filter(~pl.col("first").is_in(names) & ~pl.col("second").is_in(names))
    place = {identity.name: index for index, identity in enumerate(live)} if names else {}
    return pl.concat([stay, _found(live, sorted(place[name] for name in names if name in place), cover_distance)])


def _found(live: Sequence[Identity], places: Sequence[int], cover_distance: float) -> pl.DataFrame:
    """Pairs of one of the identities at these places with any other, each pair once."""
    rows: list[tuple[str, str, float]] = []
    centroids = [one.centroid for one in live if one.centroid is not None] if places else []
    vectors = stacked(centroids, len(centroids[0]) if centroids else 0)
    asked = set(places)
    for start in range(0, len(places), _BLOCK):
        block = list(places[start : start + _BLOCK])
        distance = cosine_distance(vectors[block], vectors)
        for row, other in zip(*np.nonzero(distance <= cover_distance), strict=True):
            first, second = sorted((block[row], int(other)))
            is_second_time = int(other) in asked and int(other) < block[row]
            if first != second and not is_second_time and live[first].family != live[second].family:
                rows.append((live[first].name, live[second].name, float(distance[row, other])))
    return pl.DataFrame(rows, schema=PAIR_SCHEMA, orient="row")


def _read(path: Path, cover_distance: float) -> _Remembered | None:
    try:
        found = pl.read_parquet_metadata(path)
        if found["cover_distance"] != repr(cover_distance):
            return None
        return _Remembered(State(int(found["generation"]), found["mark"]), pl.read_parquet(path))
    except (FileNotFoundError, KeyError, pl.exceptions.ComputeError):
        return None  # Absent, or of another form: the pairs are found anew.


def _write(path: Path, found: _Remembered, cover_distance: float) -> None:
    state = {"generation": str(found.state.generation), "mark": str(found.state.mark)}
    write_parquet(path, found.pairs, {**state, "cover_distance": repr(cover_distance)})

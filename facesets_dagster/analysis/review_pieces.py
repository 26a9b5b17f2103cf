"""People of the library and groups of faces that are nobody's, as the sides of cards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.analysis.inventory import Inventory
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.cards import Side
from facesets_dagster.identities.chances import Likeness
from facesets_dagster.identities.coverage import stands_for_somebody
from facesets_dagster.identities.exemplars import exemplars
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.library import Library
from facesets_dagster.linkage import average_merges

LEFT_OVER = ("small_cluster", "outlier")
"""States of faces that are nobody's and could be somebody's."""
MOST_EXEMPLARS = 18
"""Of a side: three cards of them, for an answer that is asked once more."""


@dataclass(frozen=True)
class Piece:
    """A person, some faces of one, or a group of faces that are nobody's."""

    name: str | None
    rows: tuple[int, ...]
    """Of the face table, in order."""
    part: bool = False
    """Whether it is only some faces of `name`."""


@dataclass(frozen=True)
class Pieces:
    """All of them, over one face table."""

    faces: pl.DataFrame
    unit: NDArray[np.float32]
    """(n, dim), of `faces`."""
    sharp_at: float
    """Sharpness from which a face is sharp enough to tell."""
    all: tuple[Piece, ...]
    """People by name, then groups by their first face."""
    years: Mapping[str, int] = field(default_factory=dict)
    """Content digest -> year of the photo, where it is known."""

    @cached_property
    def row_of(self) -> dict[str, int]:
        """face_id -> row."""
        return {face_id: row for row, face_id in enumerate(self.faces["face_id"])}

    @cached_property
    def people(self) -> dict[str, Piece]:
        """Name -> the person."""
        return {piece.name: piece for piece in self.all if piece.name is not None}

    @cached_property
    def _ids(self) -> list[str]:
        return self.faces["face_id"].to_list()

    @cached_property
    def _photos(self) -> list[str]:
        return self.faces["sha256"].to_list()

    @cached_property
    def _sharp(self) -> NDArray[np.float64]:
        measured = self.faces.select(pl.coalesce("sharpness", "blur")).to_series().to_numpy()
        return np.asarray((measured / max(self.sharp_at, 1e-9)).clip(0, 1), np.float64)

    @cached_property
    def _year(self) -> NDArray[np.float64]:
        """(n,): year of each face's photo; NaN where it is not known."""
        return np.array([self.years.get(sha256, np.nan) for sha256 in self._photos], np.float64)

    def ids(self, piece: Piece) -> tuple[str, ...]:
        """face_ids of a piece."""
        return tuple(self._ids[row] for row in piece.rows)

    def photos(self, piece: Piece) -> set[str]:
        """Digests of the photos that show it."""
        return {self._photos[row] for row in piece.rows}

    def some(self, name: str, face_ids: Iterable[str]) -> Piece:
        """Some faces of a person."""
        return Piece(name, tuple(sorted(self.row_of[one] for one in face_ids)), part=True)

    def without(self, piece: Piece, gone: Piece) -> Piece:
        """A person without some faces."""
        return Piece(piece.name, tuple(row for row in piece.rows if row not in set(gone.rows)))

    def mean(self, piece: Piece) -> NDArray[np.float64]:
        """(dim,): of its unit vectors, at the length that it has."""
        return np.asarray(self.unit[list(piece.rows)].mean(axis=0, dtype=np.float64), np.float64)

    def side(self, piece: Piece) -> Side:
        """As a side of a card."""
        ids = self.ids(piece)
        shown = exemplars(self.unit[list(piece.rows)], MOST_EXEMPLARS)
        whole = piece.name is not None and not piece.part
        return Side(
            key=str(piece.name) if whole else f"face:{ids[0]}",
            name=piece.name,
            piece=piece.part,
            size=len(ids),
            face_ids=() if whole else ids,
            exemplars=tuple(ids[place] for place in shown),
        )

    def years_between(self, first: Piece, second: Piece) -> float | None:
        """Years between the middle years of two pieces; None where one of them is undated."""
        middle = []
        for piece in (first, second):
            known = self._year[list(piece.rows)]
            known = known[np.isfinite(known)]
            if not len(known):
                return None
            middle.append(float(np.median(known)))
        return abs(middle[0] - middle[1])

    def likeness(self, first: Piece, second: Piece) -> Likeness:
        """What is known of two pieces; the mean of all pairs of faces is the product of their means."""
        photos = self.photos(first) & self.photos(second)
        sharp = min(float(np.median(self._sharp[list(piece.rows)])) for piece in (first, second))
        return Likeness(
            distance=float(1 - self.mean(first) @ self.mean(second)),
            smaller=min(len(first.rows), len(second.rows)),
            sharpness=sharp,
            years=self.years_between(first, second),
            same_photo=bool(photos) and not set(first.rows) & set(second.rows),
        )


def pieces_of(
    inventory: Inventory,
    library: Library,
    pack: ModelPack,
    *,
    cluster_distance: float,
    sharp_at: float,
    years: Mapping[str, int],
) -> Pieces:
    """People in use, and the faces that funnels left over, grouped by average linkage. `years`: of photos."""
    faces = inventory.faces
    unit = normalised(faces["embedding"].to_numpy().reshape(-1, pack.dim))
    row_of = {face_id: row for row, face_id in enumerate(faces["face_id"])}
    names = sorted(name for name, one in inventory.identities.items() if stands_for_somebody(one) and not one.is_era)
    owned: dict[str, set[int]] = {name: set() for name in names}
    for name, face_id in inventory.memberships.select("name", "face_id").iter_rows():
        if name in owned and face_id in row_of:
            owned[name].add(row_of[face_id])
    people = [Piece(name, tuple(sorted(rows))) for name, rows in owned.items() if rows]
    taken = set(inventory.memberships["face_id"].to_list())
    free = sorted({row_of[one] for one in _left_over(library, faces) if one in row_of and one not in taken})
    groups = [Piece(None, rows) for rows in _groups(unit, free, cluster_distance)]
    return Pieces(faces, unit, sharp_at, (*people, *groups), years)


def _left_over(library: Library, faces: pl.DataFrame) -> list[str]:
    found: list[str] = []
    for bucket in sorted(faces["bucket"].unique().to_list()):
        decided = library.registry.decisions(bucket)
        found += decided.filter(pl.col("state").is_in(LEFT_OVER) & ~pl.col("source_missing"))["face_id"].to_list()
    return found


def _groups(unit: NDArray[np.float32], rows: Sequence[int], distance: float) -> list[tuple[int, ...]]:
    if not rows:
        return []
    labels = average_merges(unit[list(rows)], distance).labels_at(distance)
    found: dict[int, list[int]] = {}
    for row, label in zip(rows, labels.tolist(), strict=True):
        found.setdefault(label, []).append(row)
    return sorted(tuple(group) for group in found.values())

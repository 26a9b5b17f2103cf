"""Which members of an identity are worth exporting, in which order; every other gets a state with its number.

Order of the steps: one face per photo (the one nearer to the centroid), size gate, outliers, rank. Near-duplicates
and crops are decided in rank order by `export.rendering`, because a crop that fails must not take its twin with it.

Faces below the size gate but not below the floor are in reserve: they fill up a set that has too few others
(`docs/decisions/filled-sets.md`).
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.export.marks import NO_MARKS, Marks
from facesets_dagster.export.ranking import rank_scores
from facesets_dagster.identities.gates import Verdict, numbers_in_use
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised


@dataclass(frozen=True)
class ExportParameters:
    """Resolved run config of `swap_ready_facesets`."""

    min_face_short_px: float
    outlier_distance: float
    near_duplicate_similarity: float
    top_n: int
    crop_px: int
    crop_padding: float
    fill_to: int = 0
    """So many pictures a set is filled up to where the strict gates leave fewer; 0: it is not."""
    fill_floor_px: float = 0
    """Least shorter side of the box of a face that fills up."""
    variety: float = 0
    """Weight of likeness to the person against the rank score in the choice of the top, 0..1; 0: by rank alone."""
    session_similarity: float = 0
    """Faces with at least this cosine similarity are of one session and count as one in that choice."""
    look_similarity: float = 0
    """Least cosine similarity of copies of one photo, of which one is exported; 0: only copies of bytes are."""

    def recorded(self) -> dict[str, object]:
        """Name -> number of those that decide anything, as manifests and digests keep them."""
        return numbers_in_use(self)


@dataclass(frozen=True)
class Curated:
    """Candidates for export and the verdicts on the other members."""

    candidates: pl.DataFrame
    """Rows of the face table plus `rank_score`: those that pass the gates, best first, then the reserve, best first."""
    excluded: dict[str, Verdict] = field(default_factory=dict)
    missed: dict[str, Verdict] = field(default_factory=dict)
    """face_id -> the gate that it does not pass, of the candidates in reserve."""

    @property
    def strict(self) -> int:
        """How many candidates pass the gates."""
        return len(self.candidates) - len(self.missed)


def curate(members: pl.DataFrame, parameters: ExportParameters, marks: Marks = NO_MARKS) -> Curated:
    """Curates the members (rows of the face table) of one identity.

    A face that leads by `marks` comes first among those that pass the gates; faces of one photo that may be one person
    are no rivals.
    """
    excluded: dict[str, Verdict] = {}
    rows = members.sort("face_id")
    rows = _keep(rows, _same_photo(rows, marks), excluded)
    large = _keep(rows, _too_small(rows, parameters.min_face_short_px), excluded)
    strict = _keep(large, _too_far(large, parameters.outlier_distance), excluded)
    strict = strict.with_columns(rank_score=pl.Series(rank_scores(strict), dtype=pl.Float64))
    reserve = _reserve(rows, strict, parameters)
    missed = {face_id: excluded.pop(face_id) for face_id in reserve["face_id"]}
    return Curated(pl.concat([_led(_ranked(strict), marks), _ranked(reserve)]), excluded, missed)


def _reserve(rows: pl.DataFrame, strict: pl.DataFrame, parameters: ExportParameters) -> pl.DataFrame:
    """Rows that may fill up, with the rank score that they have among all candidates.

    One that is farther from the centroid of all candidates than members may be that are exported is none.
    """
    short = pl.col("face_short")
    is_small = (short < parameters.min_face_short_px) & (short >= parameters.fill_floor_px)
    small = rows.filter(is_small) if parameters.fill_to else rows.clear()
    both = pl.concat([strict.drop("rank_score"), small])
    both = both.with_columns(rank_score=pl.Series(rank_scores(both), dtype=pl.Float64))
    near = _distances(both) <= parameters.outlier_distance
    return both.filter(pl.Series(near & (np.arange(len(both)) >= len(strict)), dtype=pl.Boolean))


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(["rank_score", "face_id"], descending=[True, False])


def _led(ranked: pl.DataFrame, marks: Marks) -> pl.DataFrame:
    leading = [face_id for face_id, leads in marks.features.items() if leads]
    return ranked.sort(~pl.col("face_id").is_in(leading), maintain_order=True) if leading else ranked


def _too_small(rows: pl.DataFrame, limit: float) -> dict[int, Verdict]:
    short = rows["face_short"].to_numpy()
    return {
        index: Verdict("below_export_gate:face_short", float(short[index]), limit) for index in _where(short < limit)
    }


def _too_far(rows: pl.DataFrame, limit: float) -> dict[int, Verdict]:
    distance = _distances(rows)
    return {index: Verdict("export_outlier", float(distance[index]), limit) for index in _where(distance > limit)}


def _keep(rows: pl.DataFrame, dropped: dict[int, Verdict], excluded: dict[str, Verdict]) -> pl.DataFrame:
    ids = rows["face_id"].to_list()
    excluded.update({ids[index]: verdict for index, verdict in dropped.items()})
    return rows.filter(~pl.Series(np.isin(np.arange(len(rows)), list(dropped)), dtype=pl.Boolean))


def _same_photo(rows: pl.DataFrame, marks: Marks) -> dict[int, Verdict]:
    """Of two faces of one content the farther from the centroid: value = its distance, threshold = the other's."""
    distance, ids = _distances(rows), rows["face_id"].to_list()
    best: dict[str, int] = {}
    for index, photo in enumerate(rows["sha256"]):
        if photo not in best or distance[index] < distance[best[photo]]:
            best[photo] = index
    return {
        index: Verdict("same_photo", float(distance[index]), float(distance[best[photo]]))
        for index, photo in enumerate(rows["sha256"])
        if best[photo] != index and not marks.may_be_one(ids[index], ids[best[photo]])
    }


def _distances(rows: pl.DataFrame) -> NDArray[np.float32]:
    if rows.is_empty():
        return np.zeros(0, np.float32)
    unit = normalised(rows["embedding"].to_numpy())
    return cosine_distance(unit, centroid(unit)[None])[:, 0]


def _where(mask: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(mask).tolist()

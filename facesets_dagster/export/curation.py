"""Which members of an identity are worth exporting, in which order; every other gets a state with its number.

Order of the steps: one face per photo (the one nearer to the centroid), size gate, outliers, rank. Near-duplicates
and crops are decided in rank order by `export.rendering`, because a crop that fails must not take its twin with it.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.export.ranking import rank_scores
from facesets_dagster.identities.gates import Verdict
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


@dataclass(frozen=True)
class Curated:
    """Candidates for export, best first, and the verdicts on the other members."""

    candidates: pl.DataFrame
    """Rows of the face table plus `rank_score`."""
    excluded: dict[str, Verdict]


def curate(members: pl.DataFrame, parameters: ExportParameters) -> Curated:
    """Curates the members (rows of the face table) of one identity."""
    excluded: dict[str, Verdict] = {}
    rows = members.sort("face_id")
    rows = _keep(rows, _same_photo(rows), excluded)
    short = rows["face_short"].to_numpy()
    limit = parameters.min_face_short_px
    rows = _keep(
        rows,
        {index: Verdict("below_export_gate:face_short", float(short[index]), limit) for index in _where(short < limit)},
        excluded,
    )
    distance = _distances(rows)
    rows = _keep(
        rows,
        {
            index: Verdict("export_outlier", float(distance[index]), parameters.outlier_distance)
            for index in _where(distance > parameters.outlier_distance)
        },
        excluded,
    )
    rows = rows.with_columns(rank_score=pl.Series(rank_scores(rows), dtype=pl.Float64))
    return Curated(rows.sort(["rank_score", "face_id"], descending=[True, False]), excluded)


def _keep(rows: pl.DataFrame, dropped: dict[int, Verdict], excluded: dict[str, Verdict]) -> pl.DataFrame:
    ids = rows["face_id"].to_list()
    excluded.update({ids[index]: verdict for index, verdict in dropped.items()})
    return rows.filter(~pl.Series(np.isin(np.arange(len(rows)), list(dropped)), dtype=pl.Boolean))


def _same_photo(rows: pl.DataFrame) -> dict[int, Verdict]:
    """Of two faces of one content the farther from the centroid: value = its distance, threshold = the other's."""
    distance = _distances(rows)
    best: dict[str, int] = {}
    for index, photo in enumerate(rows["sha256"]):
        if photo not in best or distance[index] < distance[best[photo]]:
            best[photo] = index
    return {
        index: Verdict("same_photo", float(distance[index]), float(distance[best[photo]]))
        for index, photo in enumerate(rows["sha256"])
        if best[photo] != index
    }


def _distances(rows: pl.DataFrame) -> NDArray[np.float32]:
    if rows.is_empty():
        return np.zeros(0, np.float32)
    unit = normalised(rows["embedding"].to_numpy())
    return cosine_distance(unit, centroid(unit)[None])[:, 0]


def _where(mask: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(mask).tolist()

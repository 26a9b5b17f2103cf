"""The first look at a bucket: who might be in it, before any gate, number or library (the legacy `cluster`)."""

import numpy as np
import polars as pl

from facesets_dagster.identities.clustering import average_linkage, require_at_most
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised

SINGLETONS, NOFACE = "_singletons", "_noface"
SINGLE = -1

_FIRST_LOOK = {
    "folder": (pl.String, "the legacy folder: person_000 = the largest group, _singletons, _noface"),
    "group": (pl.Int32, "0 = the largest group, -1 = a group of one; null for a file without a face"),
    "face_id": (pl.String, "the face; null for a file without one"),
    "path": (pl.String, "the photo, relative to the bucket"),
    "distance": (pl.Float64, "cosine distance to the group's centroid, 0..2"),
    "face_short": (pl.Float32, "shorter side of the bbox, px"),
    "source_missing": (pl.Boolean, "no file of the bucket holds this photo any more"),
    "cluster_distance": (pl.Float64, "where the linkage was cut"),
    "model_id": (pl.String, "digest of the weights and det_size"),
}
FIRST_LOOK_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _FIRST_LOOK.items()})
FIRST_LOOK_COLUMNS = {name: words for name, (_, words) in _FIRST_LOOK.items()}


def first_look_at(
    faces: pl.DataFrame, files: pl.DataFrame, *, cluster_distance: float, max_faces: int, bucket: str, model_id: str
) -> pl.DataFrame:
    """Rows of `FIRST_LOOK_SCHEMA`: groups by size, inside each the faces nearest to the centroid first.

    `faces`: face table of the bucket, all of it; `files`: its file table.
    """
    rows = faces.sort("face_id")
    labels, distances = np.zeros(0, np.int64), np.zeros(0, np.float64)
    if len(rows):
        unit = normalised(rows["embedding"].to_numpy())
        require_at_most(max_faces, len(rows), f"The bucket {bucket!r}")
        labels = average_linkage(unit, cluster_distance)
        distances = _distances(unit, labels)
        sizes = np.bincount(labels)
        labels = np.where(sizes[labels] > 1, labels, SINGLE)
    grouped = rows.select("face_id", "path", "face_short", "source_missing").with_columns(
        group=pl.Series(labels, dtype=pl.Int32), distance=pl.Series(distances, dtype=pl.Float64)
    )
    grouped = grouped.with_columns(
        folder=pl.when(pl.col("group") == SINGLE)
        .then(pl.lit(SINGLETONS))
        .otherwise(pl.format("person_{}", pl.col("group").cast(pl.String).str.zfill(3)))
    ).sort(pl.col("group") == SINGLE, "group", "distance", "face_id")
    noface = files.filter(pl.col("status") == "noface").select("path").sort("path").with_columns(folder=pl.lit(NOFACE))
    table = pl.concat([grouped, noface], how="diagonal")
    table = table.with_columns(cluster_distance=pl.lit(cluster_distance), model_id=pl.lit(model_id))
    return table.select(FIRST_LOOK_SCHEMA.names()).cast(FIRST_LOOK_SCHEMA)


def groups_of(table: pl.DataFrame) -> pl.DataFrame:
    """A row per group of two and more: `folder`, `faces`, `photos`, `median`, `farthest` (distances), largest first."""
    return (
        table.filter(pl.col("group") >= 0)
        .group_by("folder", "group")
        .agg(
            faces=pl.len(),
            photos=pl.col("path").n_unique(),
            median=pl.col("distance").median(),
            farthest=pl.col("distance").max(),
        )
        .sort("group")
        .drop("group")
    )


def _distances(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Distance (n,) of unit rows (n, dim) to the centroid of their group."""
    distances = np.zeros(len(unit), np.float64)
    order = np.argsort(labels, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        distances[group] = cosine_distance(unit[group], centroid(unit[group])[None])[:, 0]
    return distances

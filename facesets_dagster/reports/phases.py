"""The tables of a report that count: the photos, the known people, the results of clustering.

Functions of tables; every number can be counted again from the bucket's photos and `facesets explain`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import polars as pl

from facesets_dagster.faces.store import CacheTables, ScanCounts
from facesets_dagster.registry.registry import NOT_THEIRS
from facesets_dagster.reports.units import MEDIANS
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class Source:
    """What lies in the bucket and how it was read."""

    file_types: list[tuple[str, int]]
    """Suffix and files, most files first."""
    faces_per_photo: list[tuple[int, int]]
    """Faces and distinct photos with so many, without photos that hold none."""
    scan: ScanCounts | None
    """What the last scan found known and what it read; None for a cache of an older release."""
    medians: list[tuple[str, str]]
    """Of all faces: what was measured, and its median with the unit."""


@dataclass(frozen=True)
class Covered:
    """An identity that this bucket did not found, and its faces here."""

    name: str
    faces: int
    joined: int
    """Of these, members of the faceset by now (`extended_facesets`)."""
    median_distance: float | None
    jpeg: bytes | None = None
    """Its best face; None where it has no files here."""


def source_of(tables: CacheTables, scan: ScanCounts | None) -> Source:
    """Counts of a bucket's cache."""
    photos = tables.files.filter(pl.col("status") != "foreign")
    types = Counter(PurePosixPath(path).suffix.lower().lstrip(".") or "none" for path in photos["path"])
    here = tables.contents.filter(pl.col("sha256").is_in(photos["sha256"].drop_nulls().implode()))
    per_photo = here.filter(pl.col("faces") > 0).group_by("faces").len().sort("faces")
    faces = tables.faces
    columns = list(MEDIANS) if len(faces) else []
    return Source(
        file_types=sorted(types.items(), key=lambda pair: (-pair[1], pair[0])),
        faces_per_photo=list(per_photo.iter_rows()),
        scan=scan,
        medians=[(MEDIANS[name][0], MEDIANS[name][1].format(faces[name].median())) for name in columns],
    )


def covered_of(decisions: pl.DataFrame, own: set[str]) -> list[Covered]:
    """Faces of a bucket that others' identities have, covered or members by now; by identity."""
    theirs = pl.col("identity").is_not_null() & ~pl.col("state").is_in(NOT_THEIRS)
    rows = decisions.filter(theirs & ((pl.col("state") == "covered") | ~pl.col("identity").is_in(list(own))))
    joined = pl.col("state") != "covered"
    distance = pl.when(joined).then("nearest_distance").otherwise("value")
    counted = rows.group_by("identity").agg(pl.len(), joined.sum(), distance.median().alias("median"))
    return [Covered(*row) for row in counted.sort("identity").iter_rows()]


def clustering_of(clusters: pl.DataFrame, photo_of: Mapping[str, str]) -> list[tuple[str, object]]:
    """From uncovered faces to people who may be founded: stage and count, for the table of a report.

    `clusters`: table of `osrc_clusters`; `photo_of`: face_id -> content digest.
    """
    clustered = clusters.filter(pl.col("cluster") >= 0)
    if clustered.is_empty():
        return [("faces clustered", 0)]
    rows: list[tuple[str, object]] = [
        ("faces clustered", len(clustered)),
        ("raw clusters", clustered["cluster"].n_unique()),
    ]
    for state, count in clustered.group_by("state").len().sort("state").iter_rows():
        if state.startswith("below_gate") or state == "outlier":
            rows.append((f"dropped: {state}", count))
    small = clustered.filter(pl.col("state") == "small_cluster")
    rows.append(("in too small clusters", f"{len(small)} in {counted(small['cluster'].n_unique(), 'cluster')}"))
    kept = clustered.filter(pl.col("state") == "candidate")
    photos = sorted(len({photo_of[face_id] for face_id in group["face_id"]}) for _, group in kept.group_by("cluster"))
    span = f", {photos[0]} to {photos[-1]} distinct photos each" if photos else ""
    rows.append(("clusters kept", f"{len(photos)} with {counted(len(kept), 'face')}{span}"))
    return rows

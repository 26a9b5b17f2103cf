"""Quality gates and outlier rejection inside clusters, each decision with its value and threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import centroid, cosine_distance


@dataclass(frozen=True)
class Verdict:
    """What became of a face at one step."""

    state: str
    value: float | None = None
    threshold: float | None = None
    identity: str | None = None
    ruling: str | None = None
    """Id of the ruling that decided; None if a number did."""


@dataclass(frozen=True)
class Gate:
    """A lower bound on one column of the face table."""

    name: str
    threshold: float


def numbers_in_use(record: Any) -> dict[str, Any]:
    """Name -> number of a record's fields, without those that are off: 0 where 0 is the default.

    So what is recorded of a run without a later rule, and the digests of it, stay as they were before there was one.
    """
    values = ((field, getattr(record, field.name)) for field in fields(record))
    return {field.name: value for field, value in values if value or field.default != 0}


@dataclass(frozen=True, kw_only=True)
class QualityGates:
    """What a face must be to count towards a person; part of the parameters of whoever judges faces."""

    min_face_short_px: float
    min_blur: float
    min_det_score: float
    blur_at_px: float = 0
    """Size of the face, shorter side, at which `min_blur` is compared; 0: at native resolution."""

    def judged(self, faces: pl.DataFrame) -> pl.DataFrame:
        """The face table with the `blur` that is judged. Faces of older caches have it at native resolution only."""
        if not self.blur_at_px or "sharpness" not in faces.columns:
            return faces
        return faces.with_columns(blur=pl.coalesce("sharpness", "blur"))

    def gates(self) -> tuple[Gate, ...]:
        """In the order in which they are reported."""
        return (
            Gate("face_short", self.min_face_short_px),
            Gate("blur", self.min_blur),
            Gate("det_score", self.min_det_score),
        )


def failed_gate(gates: Sequence[Gate], values: Mapping[str, float]) -> Verdict | None:
    """`below_gate:<gate>` of the first gate (in the order given) that the values do not reach; None if all pass."""
    for gate in gates:
        if not values[gate.name] >= gate.threshold:
            return Verdict(f"below_gate:{gate.name}", values[gate.name], gate.threshold)
    return None


def outliers(
    unit: NDArray[np.float32], *, outlier_distance: float, outlier_min_size: int
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Rows (n, dim) of one cluster farther than `outlier_distance` from its centroid, and all distances.

    Clusters of fewer than `outlier_min_size` rows have no outliers: their centroid is not trusted.
    """
    distances = cosine_distance(unit, centroid(unit)[None])[:, 0]
    if len(unit) < outlier_min_size:
        return np.zeros(len(unit), bool), distances
    return distances > outlier_distance, distances


def sift(
    rows: NDArray[np.int64],
    ids: Sequence[str],
    unit: NDArray[np.float32],
    columns: Mapping[str, NDArray[np.float32]],
    gates: Sequence[Gate],
    *,
    outlier_distance: float,
    outlier_min_size: int,
) -> tuple[NDArray[np.int64], dict[str, Verdict]]:
    """The rows of one cluster that pass the gates and are no outliers, and the verdicts on its others by face_id.

    `rows` are positions in `ids` (n), `unit` (n, dim) and `columns` (name -> (n,)). Outliers are judged among those
    that passed the gates.
    """
    passed: list[int] = []
    verdicts: dict[str, Verdict] = {}
    for row in rows.tolist():
        failed = failed_gate(gates, {name: float(values[row]) for name, values in columns.items()})
        if failed is None:
            passed.append(row)
        else:
            verdicts[ids[row]] = failed
    kept = np.array(passed, np.int64)
    if len(passed) >= outlier_min_size:  # most clusters are of one or two: no centroid is made for nothing
        far, distances = outliers(unit[kept], outlier_distance=outlier_distance, outlier_min_size=outlier_min_size)
        for row, distance in zip(kept[far].tolist(), distances[far].tolist(), strict=True):
            verdicts[ids[row]] = Verdict("outlier", distance, outlier_distance)
        kept = kept[~far]
    return kept, verdicts

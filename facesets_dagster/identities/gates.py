"""Quality gates and outlier rejection inside clusters, each decision with its value and threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import centroid, cosine_distance


@dataclass(frozen=True)
class Verdict:
    """What became of a face at one step."""

    state: str
    value: float | None = None
    threshold: float | None = None
    identity: str | None = None


@dataclass(frozen=True)
class Gate:
    """A lower bound on one column of the face table."""

    name: str
    threshold: float


def failed_gate(gates: Sequence[Gate], values: dict[str, float]) -> tuple[Gate, float] | None:
    """The first gate (in the order given) whose column is below its threshold, with the value; None if all pass."""
    for gate in gates:
        if not values[gate.name] >= gate.threshold:
            return gate, values[gate.name]
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

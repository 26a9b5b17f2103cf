"""Faces too small to say who they are: they found and bridge nothing, and join last."""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import nearest, normalised, sums_by
from facesets_dagster.identities.joining import Join, Joined, People
from facesets_dagster.linkage import by_size


def join_last(
    joined: Joined, linked: NDArray[np.bool_], unit: NDArray[np.float32], people: People, most: float
) -> Joined:
    """The clusters of all unit rows (n, dim), from those of the `linked` (n,) ones.

    A row that was not linked joins the nearest group, a cluster of several faces or one of `people`, if the group's
    mean lies within `most`, else it is a cluster of its own. It moves no mean.
    """
    rows, late = np.flatnonzero(linked), np.flatnonzero(~linked)
    clusters, known = int(joined.labels.max(initial=-1)) + 1, len(people.faces)
    group = np.where(joined.person >= 0, joined.person, known + joined.labels)
    sums, sizes = _grouped(unit[rows], group, people, clusters)
    several = np.flatnonzero(sizes >= 2)
    at, distance = nearest(unit[late], normalised(sums[several]))
    near = (at >= 0) & (distance <= most)
    found = np.empty(len(unit), np.int64)
    found[rows], found[late] = group, known + clusters + np.arange(len(late))
    found[late[near]] = several[at[near]]
    joins = {int(rows[row]): join for row, join in joined.joins.items()}
    for row, far, faces in zip(
        late[near].tolist(), distance[near].tolist(), sizes[found[late[near]]].tolist(), strict=True
    ):
        joins[row] = Join(far, most, 1, faces)
    free = found >= known
    labels = np.full(len(unit), -1, np.int64)
    labels[free] = by_size(found[free])
    return Joined(labels, np.where(free, -1, found), joins)


def _grouped(
    unit: NDArray[np.float32], group: NDArray[np.int64], people: People, clusters: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums (k + clusters, dim) and sizes of the people, then of the clusters; `group` (m,) of unit rows (m, dim)."""
    known = len(people.faces)
    sums = sums_by(group, unit, known + clusters)
    sums[:known] += people.sums
    sizes = np.bincount(group, minlength=known + clusters)
    sizes[:known] += people.faces
    return sums, sizes

"""Everything at once: clusters of a whole library's faces, joined where their centroids meet, gated, ordered by size.

The legacy `refine`: initial clusters, centroid merge, quality gates, outlier rejection, size filter. Joining is
complete linkage on the centroids (no two of a joined set lie farther apart than the threshold: single linkage chained
60 people together in the legacy library), and two clusters that are seen together in a photo are never joined.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.clustering import average_linkage
from facesets_dagster.identities.gates import QualityGates, Verdict, sift
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised
from facesets_dagster.identities.ignoring import ignored_faces
from facesets_dagster.identities.links import NO_LINKS
from facesets_dagster.identities.looks import Pictures, distinct_photos, no_pictures
from facesets_dagster.identities.pairs import components
from facesets_dagster.linkage import APART, complete_linkage


@dataclass(frozen=True, kw_only=True)
class RefineParameters(QualityGates):
    """Resolved run config of `refined_library`; distances are cosine distances 0..2."""

    cluster_distance: float
    merge_distance: float
    outlier_distance: float
    outlier_min_size: int
    min_faces: int
    look_similarity: float = 0
    """Least cosine similarity of copies of one photo, which count once; 0: only copies of bytes do."""


@dataclass(frozen=True)
class Refined:
    """Identities to found, most photos first, and where the other faces end."""

    people: list[list[str]]
    """face_ids of each, sorted; ordered by distinct photos descending, ties by the smallest face_id."""
    verdicts: dict[str, Verdict]
    """face_id -> why it is nobody's member."""
    raw_clusters: int
    joined: list[tuple[int, int]]
    """Raw clusters that a joined one is made of, and its faces; only those of more than one."""


def refine(
    faces: pl.DataFrame,
    parameters: RefineParameters,
    pictures: Pictures = no_pictures,
    bindings: Bindings = NO_BINDINGS,
) -> Refined:
    """Sorts faces (rows of the face table, one per face_id) into people; `pictures`: of faces that may be copies.

    What `bindings` say comes before all numbers: faces that are ignored found nobody, faces that are one person are
    in one cluster, and two people's are not.
    """
    faces, verdicts = _without_ignored(faces.sort("face_id"), bindings)
    ids, photos = faces["face_id"].to_list(), faces["sha256"].to_numpy()
    unit = _unit(faces)
    links = bindings.links(ids)
    raw = average_linkage(unit, parameters.cluster_distance, together=links.together, cannot_link=links.apart)
    labels = join_clusters(unit, raw, photos, parameters.merge_distance, links.apart)
    people: list[tuple[int, list[str]]] = []
    judged = parameters.judged(faces)
    columns = {gate.name: judged[gate.name].to_numpy() for gate in parameters.gates()}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        kept, dropped = sift(
            rows,
            ids,
            unit,
            columns,
            parameters.gates(),
            outlier_distance=parameters.outlier_distance,
            outlier_min_size=parameters.outlier_min_size,
        )
        verdicts.update(dropped)
        contents = len(set(photos[kept].tolist()))
        shown, _ = distinct_photos(faces[kept], unit[kept], parameters.look_similarity, parameters.min_faces, pictures)
        if shown >= parameters.min_faces:
            people.append((contents, [ids[row] for row in kept]))
        else:
            small = Verdict("small_cluster", float(shown), float(parameters.min_faces))
            verdicts.update(dict.fromkeys((ids[row] for row in kept), small))
    ordered = [members for _, members in sorted(people, key=lambda person: (-person[0], person[1][0]))]
    return Refined(ordered, verdicts, len(np.unique(raw)), _joined(raw, labels))


def _without_ignored(faces: pl.DataFrame, bindings: Bindings) -> tuple[pl.DataFrame, dict[str, Verdict]]:
    """The other faces, and how those end that rulings ignore: nobody is kept yet who could be nearer."""
    if bindings.is_empty():
        return faces, {}
    unit = _unit(faces)
    found = ignored_faces(faces["face_id"].to_list(), unit, np.full(len(unit), np.inf), bindings)
    return faces.filter(~pl.col("face_id").is_in(list(found))), found


def _unit(faces: pl.DataFrame) -> NDArray[np.float32]:
    return normalised(faces["embedding"].to_numpy()) if len(faces) else np.zeros((0, 1), np.float32)


def join_clusters(
    unit: NDArray[np.float32],
    labels: NDArray[np.int64],
    photos: NDArray[np.object_],
    merge_distance: float,
    two_people: NDArray[np.int64] = NO_LINKS.apart,
) -> NDArray[np.int64]:
    """Labels (n,) after joining clusters whose centroids lie within `merge_distance` of each other, all pairs of them.

    `photos` (n,): clusters that have a photo in common are two people and stay apart, as those with the two rows of a
    pair in `two_people` (m, 2). A joined set has the smallest of its labels.
    """
    names = np.unique(labels)
    if len(names) < 2:
        return labels
    middles = _centroids(unit, labels, names)
    linked, smallest = components(middles, merge_distance), names.copy()
    together: dict[int, list[tuple[int, int]]] = {}
    for pair in sorted({*_seen_together(labels, photos, names), *_told_apart(labels, two_people, names)}):
        if linked[pair[0]] == linked[pair[1]]:
            together.setdefault(int(linked[pair[0]]), []).append(pair)
    order = np.argsort(linked, kind="stable")
    for indices in np.split(order, np.flatnonzero(np.diff(linked[order])) + 1):
        if len(indices) > 1:
            apart = together.get(int(linked[indices[0]]), [])
            smallest[indices] = names[indices[_complete_linkage(middles[indices], indices, apart, merge_distance)]]
    return np.asarray(smallest[np.searchsorted(names, labels)], np.int64)


def _centroids(unit: NDArray[np.float32], labels: NDArray[np.int64], names: NDArray[np.int64]) -> NDArray[np.float32]:
    """Centroids (k, dim) of the clusters in `names` (k,)."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], names, side="right")
    return np.array([centroid(unit[rows]) for rows in np.split(order, ends[:-1])])


def _complete_linkage(
    middles: NDArray[np.float32], indices: NDArray[np.int64], apart: list[tuple[int, int]], merge_distance: float
) -> NDArray[np.int64]:
    """For each centroid the first index in `middles` of its set; `apart`: pairs of `indices` that are never joined."""
    distance = cosine_distance(middles, middles).astype(np.float64)
    np.fill_diagonal(distance, 0.0)
    for pair in apart:
        first, second = np.searchsorted(indices, pair)
        distance[first, second] = distance[second, first] = APART
    _, first_of, sets = np.unique(complete_linkage(distance, merge_distance), return_index=True, return_inverse=True)
    return np.asarray(first_of[sets], np.int64)


def _seen_together(
    labels: NDArray[np.int64], photos: NDArray[np.object_], names: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Positions in `names` of clusters that have a photo in common."""
    shown: dict[str, set[int]] = {}
    for index, photo in zip(np.searchsorted(names, labels).tolist(), photos.tolist(), strict=True):
        shown.setdefault(photo, set()).add(index)
    return sorted({(a, b) for indices in shown.values() for a in indices for b in indices if a < b})


def _told_apart(labels: NDArray[np.int64], pairs: NDArray[np.int64], names: NDArray[np.int64]) -> set[tuple[int, int]]:
    """Positions in `names` of the clusters of these pairs of rows."""
    places = np.sort(np.searchsorted(names, labels[pairs]), axis=1)
    return {(int(a), int(b)) for a, b in places if a != b}


def _joined(raw: NDArray[np.int64], labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    sizes = [(len(np.unique(raw[labels == name])), int((labels == name).sum())) for name in np.unique(labels)]
    return sorted((size for size in sizes if size[0] > 1), reverse=True)

"""A bucket's faces sorted into: spoken for, joining an own identity, and clusters that may found a new one.

Two modes. *Grow* (first run, or the parameters of the last one): published members stay, faces near an own identity
join it, the rest is clustered. *Rebuild* (other parameters): own identities are set aside, everything that no foreign
identity covers is clustered again, and publishing matches the clusters to the identities that were there.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.cluster_table import DiscoveryParameters, cluster_rows
from facesets_dagster.identities.clustering import Progress, average_linkage
from facesets_dagster.identities.gates import Verdict, failed_gate, sift
from facesets_dagster.identities.geometry import distance_between, normalised, sums_by
from facesets_dagster.identities.joining import Joined, join_pieces, not_joined
from facesets_dagster.identities.looks import Pictures, distinct_photos, no_pictures
from facesets_dagster.identities.small_faces import join_last
from facesets_dagster.identities.sorted_out import SortedOut, sort_out


def mode_of(last: Mapping[str, object] | None, now: Mapping[str, object]) -> str:
    """`grow` for a first run, the first with another model, or one with the parameters of the last, else `rebuild`.

    `last`: of the last run; none are known after the home was embedded anew.
    """
    return "grow" if not last or last == now else "rebuild"


def discover(
    faces: pl.DataFrame,
    uncovered: pl.DataFrame,
    parameters: DiscoveryParameters,
    mode: str,
    own: AbstractSet[str],
    pinned: AbstractSet[str] = frozenset(),
    bindings: Bindings = NO_BINDINGS,
    *,
    pictures: Pictures = no_pictures,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> pl.DataFrame:
    """The cluster table of a bucket, one row per row of `uncovered` and in its order.

    `faces`: face table; `uncovered`: coverage table of the same faces; `own`: names of the identities that this bucket
    founded. Members of others stay members in either mode, and so do the faces of `pinned`: those of a merge. What
    `bindings` say comes before all numbers.
    `pictures`: of faces that may be copies; `progress` and `scratch`: of the linkage, for large buckets.
    """
    found = sort_out(faces, uncovered, parameters, mode, own, pinned, bindings)
    links = found.links.among(found.linked)
    labels = average_linkage(
        found.to_link(),
        parameters.cluster_distance,
        together=links.together,
        cannot_link=links.apart,
        progress=progress,
        scratch=scratch,
    )
    return judge_clusters(found, labels, parameters, pictures)


def judge_clusters(
    found: SortedOut, labels: NDArray[np.int64], parameters: DiscoveryParameters, pictures: Pictures = no_pictures
) -> pl.DataFrame:
    """The cluster table (`CLUSTER_SCHEMA`) of a bucket.

    `labels` (m,): the first stage's clusters of its linked faces, whose pieces are joined here.
    """
    joined, ids = _joined(found, labels, parameters), found.rest["face_id"].to_list()
    clusters = dict(zip(ids, joined.labels.tolist(), strict=True))
    of_clusters, looks = _cluster_verdicts(found.rest, found.unit, joined.labels, parameters, pictures)
    verdicts = {
        **found.verdicts,
        **of_clusters,
        **_joining_verdicts(found, joined, parameters),
    }
    joins = {ids[row]: join for row, join in joined.joins.items()}
    return cluster_rows(found.rows, verdicts, clusters, joins, looks, found.mode)


def _joined(found: SortedOut, labels: NDArray[np.int64], parameters: DiscoveryParameters) -> Joined:
    """The clusters of all faces that are left, after the second stage."""
    joined, rule = not_joined(labels), parameters.join_rule()
    if rule is not None:
        quality = parameters.quality(found.norms)
        joined = join_pieces(
            found.to_link(),
            quality[found.linked],
            labels,
            rule,
            found.people,
            found.links.among(found.linked).pairs(),
            found.refused_to_link(),
        )
    if found.linked.all():
        return joined
    most = parameters.join_face_and_group
    return join_last(joined, found.linked, found.unit, found.people, most, found.links, found.refused)


def _joining_verdicts(found: SortedOut, joined: Joined, parameters: DiscoveryParameters) -> dict[str, Verdict]:
    """Faces that came to an own identity with a cluster: gated, and no outliers, as those of a new one are."""
    verdicts: dict[str, Verdict] = {}
    ids, gates = found.rest["face_id"].to_list(), parameters.gates()
    columns = {gate.name: found.rest[gate.name].to_numpy() for gate in gates}
    middles = normalised(_sums_with(found, joined))
    for row in np.flatnonzero(joined.person >= 0).tolist():
        name, join = found.names[joined.person[row]], joined.joins[row]
        far = distance_between(found.unit[row], middles[joined.person[row]])
        verdict = failed_gate(gates, {gate: float(values[row]) for gate, values in columns.items()})
        if verdict is None and far > parameters.outlier_distance:
            verdict = Verdict("outlier", far, parameters.outlier_distance)
        verdicts[ids[row]] = replace(verdict or Verdict("joining", join.distance, join.threshold), identity=name)
    return verdicts


def _sums_with(found: SortedOut, joined: Joined) -> NDArray[np.float64]:
    """(k, dim): sums of the unit embeddings of the people, those that join included."""
    rows, known = joined.person >= 0, len(found.people.faces)
    return found.people.sums + sums_by(joined.person[rows], found.unit[rows], known)


def _cluster_verdicts(
    rest: pl.DataFrame, unit: np.ndarray, labels: np.ndarray, parameters: DiscoveryParameters, pictures: Pictures
) -> tuple[dict[str, Verdict], dict[str, int]]:
    """Verdicts by face_id, and the numbers of looks where copies may decide."""
    verdicts: dict[str, Verdict] = {}
    looks: dict[str, int] = {}
    ids = rest["face_id"].to_list()
    gates = parameters.gates()
    columns = {gate.name: rest[gate.name].to_numpy() for gate in gates}
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]  # -1: of people who were there
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    for cluster in np.split(order, bounds) if len(order) else []:
        kept, dropped = sift(
            cluster,
            ids,
            unit,
            columns,
            gates,
            outlier_distance=parameters.outlier_distance,
            outlier_min_size=parameters.outlier_min_size,
        )
        photos, numbers = distinct_photos(
            rest[kept], unit[kept], parameters.look_similarity, parameters.min_faces, pictures
        )
        small = photos < parameters.min_faces
        survivor = Verdict("small_cluster" if small else "candidate", float(photos), float(parameters.min_faces))
        verdicts.update({ids[index]: survivor for index in kept})
        verdicts.update(dropped)
        looks.update(numbers)
    return verdicts, looks

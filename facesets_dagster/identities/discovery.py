"""A bucket's faces sorted into: spoken for, joining an own identity, and clusters that may found a new one.

Two modes. *Grow* (first run, or the parameters of the last one): published members stay, faces near an own identity
join it, the rest is clustered. *Rebuild* (other parameters): own identities are set aside, everything that no foreign
identity covers is clustered again, and publishing matches the clusters to the identities that were there.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.clustering import Progress, average_linkage
from facesets_dagster.identities.gates import QualityGates, Verdict, failed_gate, sift
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.joining import Join, Joined, JoinRule, join_pieces

_CLUSTER: dict[str, tuple[pl.DataType | type[pl.DataType], str]] = {
    "face_id": (pl.String, "the face"),
    "state": (pl.String, "what becomes of it before publishing"),
    "cluster": (pl.Int32, "label of the average-linkage partition, 0 = largest; -1 = not clustered"),
    "identity": (pl.String, "whose member it is, which identity it joins, or which one covers it"),
    "value": (pl.Float64, "the number that decided"),
    "threshold": (pl.Float64, "what the number was compared with"),
    "join_distance": (pl.Float64, "of the second stage: how far its piece was from the larger one that it joined"),
    "join_threshold": (pl.Float64, "how far it was allowed to be"),
    "join_faces": (pl.List(pl.Int32), "faces in the two pieces, the smaller first"),
    "mode": (pl.String, "grow or rebuild"),
    "model_id": (pl.String, "digest of the weights and det_size"),
}
CLUSTER_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _CLUSTER.items()})
"""`state`: `member`, `joining`, `covered`, `candidate`, `below_gate:<gate>`, `outlier`, `small_cluster`.
`cluster`: label of the partition, -1 for faces that were not clustered; `identity`: whose member or by whom covered."""
CLUSTER_COLUMNS = {name: words for name, (_, words) in _CLUSTER.items()}


@dataclass(frozen=True, kw_only=True)
class DiscoveryParameters(QualityGates):
    """Resolved run config of `osrc_clusters`; distances are cosine distances 0..2."""

    cluster_distance: float
    rematch_distance: float
    outlier_distance: float
    outlier_min_size: int
    min_faces: int
    min_clustered_px: float = 0
    """Faces with a shorter side below this are no part of the linkage; they join last."""
    join_two_faces: float = 0
    join_face_and_group: float = 0
    join_two_groups: float = 0
    join_quality_gain: float = 0
    good_norm: float = 0
    """Length of the raw embedding of a good face: the unit of quality; 0: quality is not used."""

    def recorded(self) -> dict[str, float]:
        """Name -> number of those that decide anything; so the numbers of a run without a second stage stay as ever."""
        return {name: value for name, value in asdict(self).items() if value or name not in _OFF_AT_0}

    def join_rule(self) -> JoinRule | None:
        """The rule of the second stage; None if there is none."""
        limits = (self.join_two_faces, self.join_face_and_group, self.join_two_groups)
        return JoinRule(*limits, self.join_quality_gain) if max(limits) > 0 else None


_OFF_AT_0 = {field.name for field in fields(DiscoveryParameters) if field.default == 0}
"""Numbers that do nothing at 0."""


@dataclass(frozen=True)
class ClusterTable:
    """A bucket's cluster table and the numbers that it was made with."""

    frame: pl.DataFrame
    """Rows of `CLUSTER_SCHEMA`."""
    parameters: DiscoveryParameters
    cover_distance: float

    def identity_parameters(self) -> dict[str, float]:
        """Name -> number of everything that decides who is who, by name."""
        return dict(sorted({"cover_distance": self.cover_distance, **self.parameters.recorded()}.items()))


@dataclass(frozen=True)
class SortedOut:
    """A bucket before its clusters are cut: the verdicts on those who are spoken for, and the rest."""

    rows: pl.DataFrame
    """`face_id` and `model_id` of all faces, in the order of the coverage table."""
    verdicts: dict[str, Verdict]
    rest: pl.DataFrame
    """Rows of coverage and face table to be clustered, by face_id."""
    unit: NDArray[np.float32]
    """Unit embeddings (n, dim) of `rest`."""
    norms: NDArray[np.float64]
    """Lengths (n,) of its raw embeddings."""
    mode: str


def mode_of(last: Mapping[str, object] | None, now: Mapping[str, object]) -> str:
    """`grow` for a first run or one with the parameters of the last (`last`), else `rebuild`."""
    return "grow" if last is None or last == now else "rebuild"


def discover(
    faces: pl.DataFrame,
    uncovered: pl.DataFrame,
    parameters: DiscoveryParameters,
    mode: str,
    own: AbstractSet[str],
    pinned: AbstractSet[str] = frozenset(),
    *,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> pl.DataFrame:
    """The cluster table of a bucket, one row per row of `uncovered` and in its order.

    `faces`: face table; `uncovered`: coverage table of the same faces; `own`: names of the identities that this bucket
    founded. Members of others stay members in either mode, and so do the faces of `pinned`: those of a merge.
    `progress` and `scratch`: of the linkage, for large buckets.
    """
    found = sort_out(faces, uncovered, parameters, mode, own, pinned)
    labels = average_linkage(found.unit, parameters.cluster_distance, progress=progress, scratch=scratch)
    return judge_clusters(found, labels, parameters)


def sort_out(
    faces: pl.DataFrame,
    uncovered: pl.DataFrame,
    parameters: DiscoveryParameters,
    mode: str,
    own: AbstractSet[str],
    pinned: AbstractSet[str] = frozenset(),
) -> SortedOut:
    """Who is spoken for, and who is left to be clustered; arguments as of `discover`."""
    rows = uncovered.join(faces, on="face_id", how="left", maintain_order="left", suffix="_face")
    verdicts: dict[str, Verdict] = {}
    for row in rows.select(*_ASKED, *(gate.name for gate in parameters.gates())).iter_rows(named=True):
        verdict = _spoken_for(row, mode, parameters, own if row["face_id"] not in pinned else frozenset())
        if verdict is not None:
            verdicts[row["face_id"]] = verdict
    rest = rows.filter(~pl.col("face_id").is_in(list(verdicts))).sort("face_id")
    raw = rest["embedding"].to_numpy() if len(rest) else np.zeros((0, 1), np.float32)
    norms = np.linalg.norm(raw.astype(np.float64), axis=1)
    return SortedOut(rows.select("face_id", "model_id"), verdicts, rest, normalised(raw), norms, mode)


def judge_clusters(found: SortedOut, labels: NDArray[np.int64], parameters: DiscoveryParameters) -> pl.DataFrame:
    """The cluster table (`CLUSTER_SCHEMA`) of a bucket.

    `labels` (n,): the first stage's clusters of its rest, whose pieces are joined here.
    """
    rule, ids = parameters.join_rule(), found.rest["face_id"].to_list()
    joined = Joined(labels, {})
    if rule is not None:
        joined = join_pieces(found.unit, found.norms / parameters.good_norm, labels, rule)
    clusters = dict(zip(ids, joined.labels.tolist(), strict=True))
    verdicts = {**found.verdicts, **_cluster_verdicts(found.rest, found.unit, joined.labels, parameters)}
    joins = {ids[row]: join for row, join in joined.joins.items()}
    return _table(found.rows, verdicts, clusters, joins, found.mode)


_ASKED = (
    "face_id",
    "cover_distance",
    "member_of",
    "foreign",
    "foreign_distance",
    "own",
    "own_distance",
    "covered",
    "covered_by",
)
"""Columns of the coverage table that decide whether a face is spoken for."""


def _spoken_for(
    row: dict[str, object], mode: str, parameters: DiscoveryParameters, own_names: AbstractSet[str]
) -> Verdict | None:
    """The verdict on a face that is not clustered, None for one of the rest."""
    limit = float(str(row["cover_distance"]))
    if row["member_of"] is not None and (mode == "grow" or row["member_of"] not in own_names):
        return Verdict("member", None, None, str(row["member_of"]))
    foreign, own = _distance(row["foreign_distance"]), _distance(row["own_distance"])
    if row["covered"]:  # without a threshold: the very same photo is a member through another bucket
        value = foreign if np.isfinite(foreign) else None
        return Verdict("covered", value, limit if foreign <= limit else None, str(row["covered_by"]))
    if mode == "grow" and own <= limit and own <= foreign:
        failed = failed_gate(parameters.gates(), {gate.name: float(str(row[gate.name])) for gate in parameters.gates()})
        return replace(failed or Verdict("joining", own, limit), identity=str(row["own"]))
    if foreign <= limit:
        return Verdict("covered", foreign, limit, str(row["foreign"]))
    return None


def _distance(value: object) -> float:
    number = np.inf if value is None else float(str(value))
    return np.inf if np.isnan(number) else number


def _cluster_verdicts(
    rest: pl.DataFrame, unit: np.ndarray, labels: np.ndarray, parameters: DiscoveryParameters
) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    ids, photos = rest["face_id"].to_list(), rest["sha256"].to_numpy()
    gates = parameters.gates()
    columns = {gate.name: rest[gate.name].to_numpy() for gate in gates}
    order = np.argsort(labels, kind="stable")
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
        contents = len(set(photos[kept].tolist()))
        small = contents < parameters.min_faces
        survivor = Verdict("small_cluster" if small else "candidate", float(contents), float(parameters.min_faces))
        verdicts.update({ids[index]: survivor for index in kept})
        verdicts.update(dropped)
    return verdicts


def _table(
    rows: pl.DataFrame, verdicts: dict[str, Verdict], clusters: dict[str, int], joins: dict[str, Join], mode: str
) -> pl.DataFrame:
    ids = rows["face_id"].to_list()
    found, how = [verdicts[face_id] for face_id in ids], [joins.get(face_id) for face_id in ids]
    return pl.DataFrame(
        {
            "face_id": ids,
            "state": [verdict.state for verdict in found],
            "cluster": [clusters.get(face_id, -1) for face_id in ids],
            "identity": [verdict.identity for verdict in found],
            "value": [verdict.value for verdict in found],
            "threshold": [verdict.threshold for verdict in found],
            "join_distance": [join and join.distance for join in how],
            "join_threshold": [join and join.threshold for join in how],
            "join_faces": [join and [join.faces, join.others] for join in how],
            "mode": [mode] * len(ids),
            "model_id": rows["model_id"].to_list(),
        },
        schema=CLUSTER_SCHEMA,
    )

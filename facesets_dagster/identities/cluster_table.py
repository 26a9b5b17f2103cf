"""The cluster table of a bucket: its columns, and the numbers that it was made with."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.gates import Gate, QualityGates, Verdict, numbers_in_use
from facesets_dagster.identities.geometry import lengths
from facesets_dagster.identities.joining import Join, JoinRule

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
    "look": (pl.Int32, "faces of a cluster with one number show copies of one photo; null: only copies of its bytes"),
    "ruling": (pl.String, "the ruling that ignores it"),
    "mode": (pl.String, "grow or rebuild"),
    "model_id": (pl.String, "digest of the weights and det_size"),
}
CLUSTER_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _CLUSTER.items()})
"""`state`: `ignored`, `member`, `joining`, `covered`, `candidate`, `below_gate:<gate>`, `outlier`, `small_cluster`.
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
    min_quality: float = 0
    """What the recogniser can make nothing of lies below: hands, backs of heads, covered faces."""

    def gates(self) -> tuple[Gate, ...]:
        """In the order in which they are reported."""
        return (*super().gates(), Gate("quality", self.min_quality)) if self.asks_quality else super().gates()

    def judged(self, faces: pl.DataFrame) -> pl.DataFrame:
        """The face table with the columns that the gates judge."""
        faces = super().judged(faces)
        if not self.asks_quality:
            return faces
        raw = faces["embedding"].to_numpy() if len(faces) else np.zeros((0, 1), np.float32)
        return faces.with_columns(quality=pl.Series(self.quality(lengths(raw)), dtype=pl.Float64))

    @property
    def asks_quality(self) -> bool:
        """Whether faces are gated by the quality of their embedding."""
        return bool(self.min_quality and self.good_norm)

    look_similarity: float = 0
    """Least cosine similarity of copies of one photo, which count once; 0: only copies of bytes do."""

    def quality(self, norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quality of faces with raw embeddings of these lengths (n,): 1 is a good face."""
        return norms / self.good_norm if self.good_norm else np.ones(len(norms))

    def recorded(self) -> dict[str, float]:
        """Name -> number of those that decide anything; so the numbers of a run without a second stage stay as ever."""
        return numbers_in_use(self)

    def join_rule(self) -> JoinRule | None:
        """The rule of the second stage; None if there is none."""
        limits = (self.join_two_faces, self.join_face_and_group, self.join_two_groups)
        return JoinRule(*limits, self.join_quality_gain) if max(limits) > 0 else None


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


def cluster_rows(
    rows: pl.DataFrame,
    verdicts: Mapping[str, Verdict],
    clusters: Mapping[str, int],
    joins: Mapping[str, Join],
    looks: Mapping[str, int],
    mode: str,
) -> pl.DataFrame:
    """The cluster table (`CLUSTER_SCHEMA`) of `rows` (`face_id`, `model_id`), in their order.

    By face_id: `verdicts` of all, `clusters` of those that were clustered, `joins` of those that a join moved,
    `looks` of those whose photo may be a copy.
    """
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
            "look": [looks.get(face_id) for face_id in ids],
            "ruling": [verdict.ruling for verdict in found],
            "mode": [mode] * len(ids),
            "model_id": rows["model_id"].to_list(),
        },
        schema=CLUSTER_SCHEMA,
    )

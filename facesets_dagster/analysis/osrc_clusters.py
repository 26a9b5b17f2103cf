"""New people of a bucket: the domain call behind `osrc_clusters`. The library is only read."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.face_pictures import PictureSource
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.cluster_table import ClusterTable, DiscoveryParameters
from facesets_dagster.identities.discovery import discover, mode_of
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.coverage import coverage_now
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.linkage import Progress
from facesets_dagster.photos.bucket_key import bucket_title


@dataclass(frozen=True)
class Clusters:
    """The faces that nobody covers, in clusters."""

    clusters: ClusterTable
    mode: str
    """`grow` or `rebuild`."""
    own: frozenset[str]
    """Live identities that the bucket founded."""

    def sizes(self) -> list[int]:
        """Faces of each cluster, the largest first."""
        clustered = self.clusters.frame.filter(pl.col("cluster") >= 0)
        return clustered.group_by("cluster").len().sort("cluster")["len"].to_list()

    def groups(self) -> list[int]:
        """Faces of each person of the bucket and of each cluster, the largest first."""
        of_people = self._of_people().group_by("identity").len()["len"].to_list()
        return sorted([*of_people, *self.sizes()], reverse=True)

    def people(self) -> int:
        """People of the bucket who have a faceset already."""
        return self._of_people()["identity"].n_unique()

    def _of_people(self) -> pl.DataFrame:
        spoken_for = pl.col("state").is_in(["member", "joining"])
        return self.clusters.frame.filter(spoken_for & pl.col("identity").is_in(list(self.own)))

    def candidates(self) -> int:
        """Clusters that may found an identity."""
        return self.clusters.frame.filter(pl.col("state") == "candidate")["cluster"].n_unique()

    def states(self) -> dict[str, int]:
        """State -> faces."""
        return dict(self.clusters.frame.group_by("state").len().sort("state").iter_rows())


def cover_distance_of(coverage: pl.DataFrame, default: float) -> float:
    """The distance that a bucket's coverage was made with; `default` where the bucket has no face."""
    return default if coverage.is_empty() else float(coverage["cover_distance"][0])


def cluster_bucket(
    bucket: str,
    coverage: pl.DataFrame,
    library: Library,
    store: FaceStore,
    pack: ModelPack,
    parameters: DiscoveryParameters,
    cover_distance: float,
    pictures: PictureSource,
    *,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> Clusters:
    """Clusters what `coverage` leaves. With the numbers of the bucket's last run its own identities grow.

    `coverage` may be of an older library: what has happened since, known people who were extended, is taken in.
    `pictures`: of faces that may be copies; `progress`, `scratch`: of the linkage, for large buckets. Raises
    `ModelMismatch` if `coverage` is of another model.
    """
    require_one_model(coverage, pack.model_id, f"the coverage of {bucket_title(bucket)}")
    coverage = coverage_now(library, store, bucket, coverage, pack)
    numbers = ClusterTable(pl.DataFrame(), parameters, cover_distance).identity_parameters()
    known, last = library.snapshot(), library.registry.bucket_run(bucket)
    mode = mode_of(last.identity_parameters if last else None, numbers)
    own = {identity.name for identity in known.own(bucket, retired=False)}
    faces = bucket_faces(store, library, bucket)
    table = discover(
        faces,
        coverage,
        parameters,
        mode,
        own,
        known.ruled_members(bucket),
        bindings_of(library, bucket, pack.model_id, pack.dim, coverage["face_id"].to_list()),
        pictures=pictures.of(faces),
        progress=progress,
        scratch=scratch,
    )
    pictures.kept.write()
    return Clusters(ClusterTable(table, parameters, cover_distance), mode, frozenset(own))

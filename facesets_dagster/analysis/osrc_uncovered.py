"""Who covers the faces of a bucket: the domain call behind `osrc_uncovered`."""

import polars as pl

from facesets_dagster.analysis.existing_centroids import identities_of
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.library.coverage import cover_bucket
from facesets_dagster.library.library import Library
from facesets_dagster.library.model import require_model


def coverage_of_bucket(
    library: Library, store: FaceStore, bucket: str, centroids: pl.DataFrame, pack: ModelPack, cover_distance: float
) -> pl.DataFrame:
    """The coverage table (`COVERAGE_SCHEMA`) of a bucket by the identities of a table of centroids.

    Raises `ModelMismatch` if one of them was made with another model.
    """
    identities = identities_of(centroids)
    require_model(identities, pack)
    ids, found = cover_bucket(library, store, bucket, identities, model_id=pack.model_id, dim=pack.dim)
    generation = int(centroids["generation"].max() or 0)  # type: ignore[arg-type]
    return coverage_table(ids, found, cover_distance=cover_distance, generation=generation, model_id=pack.model_id)

"""The coverage of a bucket as a table: the identity near each face, and the one that covers it."""

import numpy as np
import polars as pl

from facesets_dagster.identities.coverage import Coverage
from facesets_dagster.identities.ruled_coverage import IgnoredFaces

_COVERAGE = {
    "face_id": (pl.String, "the face"),
    "nearest": (pl.String, "nearest identity that this face may go to"),
    "nearest_distance": (pl.Float64, "cosine distance to it, 0..2"),
    "covered": (
        pl.Boolean,
        "within cover_distance of an identity that this bucket did not found, or a byte copy of a member",
    ),
    "covered_by": (pl.String, "that identity"),
    "ambiguous_with": (pl.String, "another identity within cover_distance; the face goes to the nearest only"),
    "member_of": (pl.String, "identity that has this face as a member already"),
    "foreign": (pl.String, "nearest identity of other buckets"),
    "foreign_distance": (pl.Float64, "cosine distance to it"),
    "own": (pl.String, "nearest identity founded by this bucket; it never covers, it grows"),
    "own_distance": (pl.Float64, "cosine distance to it"),
    "cover_distance": (pl.Float64, "threshold of this run"),
    "generation": (pl.Int64, "library generation of the snapshot"),
    "given": (pl.Boolean, "a ruling gives it to the identity that covers it, whatever the distance"),
    "ignored_by": (pl.String, "ruling that ignores it, or the person whose it is; nobody covers it then"),
    "ignored_distance": (
        pl.Float64,
        "cosine distance to the nearest exemplar of the ruling; null: it names this face",
    ),
    "ignored_reach": (pl.Float64, "what that distance was compared with"),
    "bindings": (pl.String, "digest of what rulings said of the bucket; null: nothing"),
    "model_id": (pl.String, "digest of the weights and det_size"),
}
COVERAGE_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _COVERAGE.items()})
COVERAGE_COLUMNS = {name: words for name, (_, words) in _COVERAGE.items()}


def coverage_table(
    face_ids: list[str], coverage: Coverage, *, cover_distance: float, generation: int, model_id: str
) -> pl.DataFrame:
    """One row per face, in the order of `face_ids`."""
    frame = pl.DataFrame(
        {
            "face_id": face_ids,
            "foreign": list(coverage.foreign),
            "foreign_distance": coverage.foreign_distance.astype(np.float64),
            "own": list(coverage.own),
            "own_distance": coverage.own_distance.astype(np.float64),
            "second": list(coverage.second),
            "second_distance": coverage.second_distance.astype(np.float64),
            "member_of": list(coverage.member_of),
        },
        schema_overrides=dict.fromkeys(("face_id", "foreign", "own", "second", "member_of"), pl.String),
    ).with_columns(
        cover_distance=pl.lit(cover_distance),
        generation=pl.lit(generation, pl.Int64),
        bindings=pl.lit(coverage.bindings, pl.String),
        given=pl.lit(False) if coverage.given is None else pl.Series(coverage.given, dtype=pl.Boolean),
        model_id=pl.lit(model_id),
        **_ignored(coverage.ignored),
    )
    frame = frame.with_columns(pl.col("foreign_distance", "own_distance", "second_distance").fill_nan(None))
    own_first = pl.col("own_distance") <= pl.col("foreign_distance").fill_null(float("inf"))
    is_copy = pl.Series([name is not None for name in coverage.copy_of], dtype=pl.Boolean)
    own_first = own_first.fill_null(False) & ~is_copy
    frame = frame.with_columns(
        nearest=pl.when(own_first).then("own").otherwise("foreign"),
        nearest_distance=pl.when(own_first).then("own_distance").otherwise("foreign_distance"),
        covered=pl.col("member_of").is_null()
        & ~own_first
        & pl.col("ignored_by").is_null()
        & (is_copy | (pl.col("foreign_distance") <= cover_distance).fill_null(False)),
    )
    second_near = (pl.col("second_distance") <= cover_distance) & (pl.col("nearest_distance") <= cover_distance)
    frame = frame.with_columns(
        covered_by=pl.when("covered").then("foreign"),
        given=pl.col("given") & pl.col("covered"),
        ambiguous_with=pl.when(second_near.fill_null(False) & pl.col("ignored_by").is_null()).then("second"),
    )
    return frame.select(COVERAGE_SCHEMA.names()).cast(COVERAGE_SCHEMA)


def _ignored(ignored: IgnoredFaces | None) -> dict[str, pl.Expr | pl.Series]:
    if ignored is None:
        return {
            "ignored_by": pl.lit(None, pl.String),
            "ignored_distance": pl.lit(None, pl.Float64),
            "ignored_reach": pl.lit(None, pl.Float64),
        }
    return {
        "ignored_by": pl.Series(ignored.ruling, dtype=pl.String),
        "ignored_distance": pl.Series(ignored.distance, dtype=pl.Float64).fill_nan(None),
        "ignored_reach": pl.Series(ignored.reach, dtype=pl.Float64).fill_nan(None),
    }


def as_of_now(table: pl.DataFrame) -> pl.DataFrame:
    """A coverage table of an older release, with the columns that came later."""
    later = [pl.lit(None, dtype).alias(name) for name, dtype in COVERAGE_SCHEMA.items() if name not in table.columns]
    return table.with_columns(later).select(COVERAGE_SCHEMA.names()) if later else table

"""The funnel: every detected face of a bucket in exactly one terminal state, with the number that decided it."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import polars as pl

from facesets_dagster.errors import PublishRefused
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.publishing.transaction import BucketRecord
from facesets_dagster.registry.registry import DECISION_SCHEMA

STATES = (
    "covered",
    "below_gate",
    "outlier",
    "small_cluster",
    "same_photo",
    "near_duplicate",
    "below_export_gate",
    "export_outlier",
    "crop_failed",
    "exported",
)
"""Terminal states, in the order in which a face can meet them; `below_gate:blur` counts as `below_gate`."""


def build_funnel(coverage: pl.DataFrame, flags: pl.DataFrame, verdicts: Mapping[str, Verdict]) -> pl.DataFrame:
    """The decisions (`DECISION_SCHEMA`) of a bucket.

    `coverage`: the bucket's coverage table; `flags`: face table; `verdicts`: face_id -> terminal verdict. Raises
    `PublishRefused` unless every face has exactly one known terminal state.
    """
    ids = coverage["face_id"].to_list()
    found = [verdicts.get(face_id, Verdict("undecided")) for face_id in ids]
    bad = {verdict.state for verdict in found if verdict.state.split(":")[0] not in STATES}
    if bad or len(set(ids)) != len(ids):
        raise PublishRefused(
            f"The funnel is not complete: {len(ids)} faces, {len(set(ids))} distinct, states that are not terminal: "
            f"{sorted(bad)}. Nothing was published. This is a defect of the platform; please report it."
        )
    table = coverage.select("face_id", "nearest", "nearest_distance", "ambiguous_with").with_columns(
        state=pl.Series([verdict.state for verdict in found], dtype=pl.String),
        value=pl.Series([verdict.value for verdict in found], dtype=pl.Float64),
        threshold=pl.Series([verdict.threshold for verdict in found], dtype=pl.Float64),
        identity=pl.Series([verdict.identity for verdict in found], dtype=pl.String),
    )
    table = table.join(flags.select("face_id", "source_missing", "truncated"), on="face_id", how="left")
    return table.select(DECISION_SCHEMA.names()).cast(DECISION_SCHEMA).sort("face_id")


def bucket_record(
    bucket: str,
    rows: pl.DataFrame,
    verdicts: Mapping[str, Verdict],
    nearest: Mapping[str, tuple[str | None, float]],
    head: Sequence[object],
    parameters: Mapping[str, object],
) -> BucketRecord:
    """What the registry keeps of a bucket that was settled otherwise than by the main chain.

    `rows`: of the face table, every face of the bucket that has a verdict; `nearest`: face_id -> identity and cos-dist,
    where known; `head`: model, code version and numbers, which make the digest of the inputs together with the rows.
    """
    rows = rows.sort("face_id")
    ids = rows["face_id"].to_list()
    near = [nearest.get(face_id, (None, None)) for face_id in ids]
    coverage = pl.DataFrame(
        {
            "face_id": pl.Series(ids, dtype=pl.String),
            "nearest": pl.Series([name for name, _ in near], dtype=pl.String),
            "nearest_distance": pl.Series([value for _, value in near], dtype=pl.Float64),
            "ambiguous_with": pl.Series([None] * len(ids), dtype=pl.String),
        }
    )
    funnel = build_funnel(coverage, rows.select("face_id", "source_missing", "truncated"), verdicts)
    return BucketRecord(bucket, inputs_digest(rows, head), parameters, funnel)


def inputs_digest(rows: pl.DataFrame, head: Sequence[object]) -> str:
    """Same photos, parameters, model and code: the same digest, whatever the rest of the library did."""
    hasher = hashlib.sha256(canonical_json(list(head)).encode())
    for row in rows.select("face_id", "path", "aliases", "source_missing").sort("face_id").iter_rows():
        hasher.update(canonical_json(row).encode())
    return hasher.hexdigest()


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def count_states(decisions: pl.DataFrame) -> dict[str, int]:
    """Faces per terminal state, gates told apart, in the order of `STATES`; the counts sum to the detections."""
    counts = dict(decisions.group_by("state").len().iter_rows())
    order = {state: index for index, state in enumerate(STATES)}
    return {state: counts[state] for state in sorted(counts, key=lambda state: (order[state.split(":")[0]], state))}

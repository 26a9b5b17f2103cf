"""The funnel: every detected face of a bucket in exactly one terminal state, with the number that decided it."""

from collections.abc import Mapping

import polars as pl

from facesets_dagster.errors import PublishRefused
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.library.registry import DECISION_SCHEMA

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
            f"The funnel does not close: {len(ids)} faces, {len(set(ids))} distinct, states without an end: "
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


def count_states(decisions: pl.DataFrame) -> dict[str, int]:
    """Faces per terminal state, gates told apart, in the order of `STATES`; the counts sum to the detections."""
    counts = dict(decisions.group_by("state").len().iter_rows())
    order = {state: index for index, state in enumerate(STATES)}
    return {state: counts[state] for state in sorted(counts, key=lambda state: (order[state.split(":")[0]], state))}

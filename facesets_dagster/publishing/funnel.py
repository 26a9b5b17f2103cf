"""The funnel: every detected face of a bucket in exactly one terminal state, with the number that decided it.

Pure but for the manifests of facesets in place. Shared by publishing and by the rehearsal of it (`analysis.what_if`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.errors import PublishRefused
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.bindings import Bindings
from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import distance_between
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.faceset_manifest import ExportedFace, read_faceset
from facesets_dagster.publishing.proposal import Proposal
from facesets_dagster.publishing.resolution import Group, Resolution, new_name
from facesets_dagster.publishing.transaction import BucketRecord
from facesets_dagster.registry.registry import DECISION_SCHEMA

STATES = (
    "ignored",
    "ruled_out",
    "covered",
    "below_gate",
    "outlier",
    "small_cluster",
    "same_photo",
    "near_duplicate",
    "below_export_gate",
    "export_outlier",
    "cut_off",
    "crop_failed",
    "withheld",
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
        ruling=pl.Series([verdict.ruling for verdict in found], dtype=pl.String),
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


def inputs_head(
    code_version: str, model_id: str, parameters: Mapping[str, object], export: ExportParameters, bindings: Bindings
) -> list[object]:
    """What a run of a bucket depends on beside its photos. Rulings count if they name faces of the bucket.

    The reach of people who are ignored is the library's: like that of its people, it is news for no bucket.
    """
    said = bindings.of_named_faces().digest()
    head: list[object] = [code_version, model_id, parameters, export.recorded()]
    return head if said is None else [*head, said]


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def count_states(decisions: pl.DataFrame) -> dict[str, int]:
    """Faces per terminal state, gates told apart, in the order of `STATES`; the counts sum to the detections."""
    counts = dict(decisions.group_by("state").len().iter_rows())
    order = {state: index for index, state in enumerate(STATES)}
    return {state: counts[state] for state in sorted(counts, key=lambda state: (order[state.split(":")[0]], state))}


def verdicts_in_place(folder: Path, name: str) -> dict[str, Verdict]:
    """face_id -> terminal verdict of the members of a faceset, by its manifest."""
    manifest = read_faceset(folder)
    if manifest is None:
        return {}
    found = {face.face_id: _exported(face, manifest.smallest_strict(), name) for face in manifest.faces}
    return found | {one.face_id: Verdict(one.state, one.value, one.threshold, name) for one in manifest.excluded}


def _exported(face: ExportedFace, smallest_strict: float | None, name: str) -> Verdict:
    """With its size and the gate that it does not pass where it fills up."""
    if not face.filled:
        return Verdict("exported", identity=name)
    return Verdict("exported", face.face_short, smallest_strict, name)


def exported_in_place(folder: Path, name: str) -> dict[str, Verdict]:
    """face_id -> terminal verdict of the faces that a faceset exports or would, by its manifest."""
    found = verdicts_in_place(folder, name)
    return {face_id: one for face_id, one in found.items() if one.state in ("exported", WITHHELD)}


def verdicts_of(content: FacesetContent, bucket: str, name: str | None) -> dict[str, Verdict]:
    """Terminal verdicts of the members of one faceset that are members through this bucket."""
    here = content.members.filter(pl.col("bucket") == bucket)["face_id"]
    verdicts = content.verdicts()
    return {face_id: replace(verdicts.get(face_id, Verdict("exported")), identity=name) for face_id in here}


@dataclass(frozen=True)
class Ending:
    """A group and what an export of it holds."""

    name: str | None
    """None for a group without one exportable face that is nobody's."""
    group: Group
    here: AbstractSet[str]
    """Its members through the bucket that is published."""
    verdicts: Mapping[str, Verdict]
    """On members that are not exported, and on those that fill up."""

    @classmethod
    def of(cls, name: str | None, group: Group, content: FacesetContent, bucket: str) -> "Ending":
        """Of a group whose export holds this."""
        here = content.members.filter(pl.col("bucket") == bucket)["face_id"]
        return cls(name, group, set(here), content.verdicts())


def terminal_verdicts(
    proposal: Proposal, resolution: Resolution, endings: Sequence[Ending], standing: Mapping[str, Verdict]
) -> dict[str, Verdict]:
    """face_id -> terminal verdict of every face of the bucket that is nobody's member elsewhere.

    `endings`: of the groups of the resolution in their order, then of its empty ones; `standing`: face_id -> verdict of
    those that stay published although they could not be exported now.
    """
    verdicts = {**proposal.verdicts, **resolution.overrides}
    founded = [ending.name for ending in endings if ending.name is not None and ending.group.identity is None]
    real_names = {new_name(place): name for place, name in enumerate(founded, start=1)}
    for face_id, verdict in resolution.overrides.items():
        if verdict.identity is not None and verdict.identity in real_names:
            verdicts[face_id] = replace(verdict, identity=real_names[verdict.identity])
    for ending in endings:
        for face_id in ending.here & ending.group.members.keys():
            ended = standing.get(face_id) or ending.verdicts.get(face_id) or Verdict("exported")
            verdicts[face_id] = replace(ended, identity=ending.name)
    return verdicts


def near_their_own(
    coverage: pl.DataFrame,
    identities: Sequence[Identity],
    memberships: pl.DataFrame,
    unit: Mapping[str, NDArray[np.float32]],
) -> pl.DataFrame:
    """The coverage, members of others' identities with the distance to whom they belong to.

    `identities`: of other buckets; `memberships`: of the bucket's faces; `unit`: face_id -> unit embedding (dim,).
    """
    centre_of = {one.name: one.centroid for one in identities if one.live and not one.is_era}
    names, distances = dict[str, str](), dict[str, float]()
    for name, face_id in memberships.select("name", "face_id").iter_rows():
        centre = centre_of.get(name)
        if centre is not None and face_id in unit:
            names[face_id], distances[face_id] = name, distance_between(unit[face_id], centre)
    if not names:
        return coverage
    ids = pl.col("face_id")
    whose = ids.replace_strict(names, default=None, return_dtype=pl.String)
    distance = ids.replace_strict(distances, default=None, return_dtype=pl.Float64)
    return coverage.with_columns(
        nearest=pl.coalesce(whose, "nearest"), nearest_distance=pl.coalesce(distance, "nearest_distance")
    )


def members_elsewhere(
    proposal: Proposal,
    identities: Sequence[Identity],
    memberships: pl.DataFrame,
    coverage: pl.DataFrame,
    cover_distance: float,
    in_place: Callable[[Identity], Mapping[str, Verdict]],
) -> dict[str, Verdict]:
    """Faces of the bucket that are members of identities of others end as their facesets say.

    `memberships`: of the bucket's faces; `in_place`: identity -> face_id -> verdict, by its published faceset.
    """
    others = {
        identity.name: identity
        for identity in identities
        if identity.live and not identity.is_era and identity.bucket != proposal.bucket
    }
    found: dict[str, Verdict] = {}
    facesets: dict[str, Mapping[str, Verdict]] = {}
    nearest = dict(coverage.select("face_id", "nearest_distance").iter_rows())
    for name, face_id in memberships.select("name", "face_id").iter_rows():
        if name not in others or face_id not in nearest:
            continue
        if name not in facesets:
            facesets[name] = in_place(others[name])
        distance, centre = nearest[face_id], others[name].centroid
        if centre is not None:
            distance = distance_between(proposal.unit[face_id], centre)
        waiting = Verdict("covered", distance, cover_distance, name)  # an adopted legacy faceset
        found[face_id] = facesets[name].get(face_id, waiting)
    return found

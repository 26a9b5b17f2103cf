"""Covered faces of a bucket become members of the identities that cover them: the call behind `extended_facesets`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.publisher import Plan, publish
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place
from facesets_dagster.publishing.transaction import Wanted

_EXTENSION = {
    "identity": (pl.String, "faceset that grew"),
    "kind": (pl.String, "auto, hand_sorted or discovered"),
    "label": (pl.String, "the person's name"),
    "joined": (pl.Int64, "faces of this bucket that joined in this run"),
    "members": (pl.Int64, "members after it, curated or not"),
    "exported_before": (pl.Int64, "faces exported before; null for a legacy faceset that had no folder here"),
    "exported": (pl.Int64, "faces exported after it, ranked again"),
    "run_id": (pl.String, "the run"),
}
EXTENSION_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _EXTENSION.items()})
EXTENSION_COLUMNS = {name: words for name, (_, words) in _EXTENSION.items()}


@dataclass(frozen=True)
class ExtendInputs:
    """A bucket, and the largest distance of its covered faces from the identities that cover them."""

    bucket: str
    coverage: pl.DataFrame
    route_distance: float


@dataclass(frozen=True)
class ExtendResult:
    """What came of it."""

    outcome: Outcome
    table: pl.DataFrame
    """Rows of `EXTENSION_SCHEMA`."""
    joined: dict[str, pl.DataFrame]
    """Identity -> rows of the face table of the faces that joined."""


def waiting_faces(library: Library, coverage: pl.DataFrame, route_distance: float) -> dict[str, list[str]]:
    """Identity -> covered faces within reach that are not members yet.

    A copy of a member of another bucket adds nothing and stays `covered`.
    """
    near = coverage.filter(pl.col("covered") & (pl.col("foreign_distance") <= route_distance))
    known = library.snapshot()
    taken, merged = known.faces_of_people(near["face_id"].to_list()), known.redirects
    waiting: dict[str, list[str]] = {}
    for name, face_id in near.select("covered_by", "face_id").sort("covered_by", "face_id").iter_rows():
        if face_id not in taken:
            waiting.setdefault(merged.get(name, name), []).append(face_id)
    return waiting


@dataclass(frozen=True)
class _Before:
    """The identities concerned as they were when the plan was made."""

    members: Mapping[str, Mapping[str, str]]
    exported: Mapping[str, int | None]


def extend_bucket(run: Run, inputs: ExtendInputs) -> ExtendResult:
    """Adds the waiting faces, ranks and publishes their identities again, and returns what changed for each."""
    faces = bucket_faces(run.store_of(inputs.bucket), run.library, inputs.bucket)
    update = publish(run, lambda: _plan(run, inputs, faces))
    extended = [(wanted.identity, wanted.members) for wanted in update.plan.wanted if wanted.identity is not None]
    joined = {one.name: members.keys() - update.notes.members[one.name].keys() for one, members in extended}
    rows = [
        {
            "identity": one.name,
            "kind": one.kind,
            "label": one.label,
            "joined": len(joined[one.name]),
            "members": len(members),
            "exported_before": update.notes.exported[one.name],
            "exported": _exported(run.library, one),
            "run_id": run.run_id,
        }
        for one, members in extended
    ]
    who = {name: faces.filter(pl.col("face_id").is_in(list(face_ids))) for name, face_ids in sorted(joined.items())}
    return ExtendResult(update.outcome, pl.DataFrame(rows, schema=EXTENSION_SCHEMA), who)


def _plan(run: Run, inputs: ExtendInputs, faces: pl.DataFrame) -> Plan[_Before]:
    registry = run.library.registry
    waiting = waiting_faces(run.library, inputs.coverage, inputs.route_distance)
    live = {one.name: one for one in registry.identities() if one.live and one.name in waiting}
    known = registry.members(list(live))
    members = {name: known.get(name, {}) for name in live}
    wanted = [
        Wanted({**members[name], **dict.fromkeys(joining, "extended")}, _terms(run, live[name], inputs), live[name])
        for name, joining in waiting.items()
        if name in live
    ]
    gallery = Gallery(run, faces, Terms("discovered", inputs.bucket, {}, run.export), list(waiting))
    return Plan(wanted, gallery, _Before(members, {name: _exported(run.library, one) for name, one in live.items()}))


def _terms(run: Run, identity: Identity, inputs: ExtendInputs) -> Terms:
    """An identity keeps the numbers that it was exported with."""
    terms = terms_in_place(run.library.folder, identity, run.export)
    extended = {"extended_facesets": {"route_distance": inputs.route_distance}}
    return replace(terms, bucket=identity.bucket or inputs.bucket, parameters={**terms.parameters, **extended})


def _exported(library: Library, identity: Identity) -> int | None:
    manifest = read_faceset(library.folder / faceset_folder(identity.name, identity.kind))
    return len(manifest.faces) if manifest else None

"""The rows of a registry out of what its library says: facesets first, then what is noted beside them. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.identities.identity import ERA_KINDS
from facesets_dagster.library.bucket_notes import BucketNote
from facesets_dagster.library.remains import FoundFaceset, Remains
from facesets_dagster.registry.rows import from_json

Row = dict[str, Any]
UNKNOWN_RUN = "recovered"
"""The run of what nobody wrote down."""


@dataclass(frozen=True)
class RebuiltRows:
    """Rows by table; those of rulings, and of what they rest on, are taken as they are noted."""

    identities: list[Row] = field(default_factory=list)
    numbers: list[Row] = field(default_factory=list)
    members: list[Row] = field(default_factory=list)
    tombstones: list[Row] = field(default_factory=list)
    adopted: list[Row] = field(default_factory=list)
    bucket_runs: list[Row] = field(default_factory=list)
    bucket_extensions: list[Row] = field(default_factory=list)
    bucket_folders: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    joins: list[Row] = field(default_factory=list)

    @property
    def live(self) -> int:
        """Facesets in use."""
        return sum(row["live"] for row in self.identities)


def rebuilt_rows(remains: Remains) -> RebuiltRows:
    """All rows but those of rulings. An identity out of use is as it was noted, else as its retired folder says."""
    noted = _noted(remains, "identities")
    live = [one for one in remains.facesets if one.live]
    retired = [one for one in remains.facesets if not one.live and one.name not in {row["name"] for row in noted}]
    names_in_use = {one.name for one in live}
    out_of_use = [row for row in noted if row["name"] not in names_in_use]
    identities = [_identity(one) for one in [*live, *retired]] + [_adopted(one.entry) for one in remains.adopted]
    identities += out_of_use
    tombstones = [_tombstone(row) for row in remains.tombstones if row.get("name") not in names_in_use]
    buried = {row["name"] for row in tombstones}
    tombstones += [_vanished(one) for one in retired if one.name not in buried]
    identities += [_nobody(row) for row in tombstones if row["name"] not in {one["name"] for one in identities}]
    members = [row for one in [*live, *retired] for row in _members(one)]
    members += [row for row in _noted(remains, "members") if row["name"] not in {*names_in_use}]
    return RebuiltRows(
        identities=_in_order(identities),
        numbers=[
            {"number": number, "name": name, "run_id": UNKNOWN_RUN} for number, name in sorted(_numbers(remains, noted))
        ],
        members=members,
        tombstones=tombstones,
        adopted=[
            {"name": one.entry["name"], "root": str(one.entry["legacy_root"]), "entry": json.dumps(one.own)}
            for one in remains.adopted
        ],
        decisions=_decisions(remains, live),
        **_buckets(remains),
    )


def notes_of_the_model(remains: Remains) -> list[BucketNote]:
    """Notes of buckets that were judged with the model of the facesets: others are of a home that changed its pack."""
    models = Counter(one.model_id for one in remains.facesets if one.live and one.model_id)
    model = models.most_common(1)[0][0] if models else None
    return [note for note in remains.buckets if model in (None, note.run.model_id)]


def _noted(remains: Remains, table: str) -> list[Row]:
    rows = remains.kept.get("tables", {}).get(table, [])
    return [{key: from_json(value) for key, value in row.items()} for row in rows if isinstance(row.get("name"), str)]


def _numbers(remains: Remains, noted: Iterable[Row]) -> set[tuple[int, str]]:
    numbers = dict(remains.numbers)
    for row in noted:
        if row.get("kind") not in ERA_KINDS and isinstance(row.get("number"), int):
            numbers.setdefault(row["number"], row["name"])
    return set(numbers.items())


def _identity(one: FoundFaceset) -> Row:
    return {
        "name": one.name,
        "number": one.number,
        "kind": one.kind,
        "parent": one.parent,
        "bucket": one.bucket,
        "label": one.label,
        "live": one.live,
        "model_id": one.model_id,
        "centroid": one.centroid,
        "manifest_sha256": one.manifest_sha256,
        "run_id": one.run_id,
    }


def _adopted(entry: Mapping[str, Any]) -> Row:
    blank: Row = dict.fromkeys(("model_id", "centroid", "manifest_sha256"))
    kind = "era" if entry.get("kind") == "era" else str(entry.get("kind") or "auto")
    known = {key: entry.get(key) for key in ("name", "number", "parent", "bucket", "label")}
    return {**blank, **known, "kind": kind, "live": True, "run_id": UNKNOWN_RUN}


def _nobody(stone: Mapping[str, Any]) -> Row:
    """Of a name out of use of which nothing is left but the name."""
    blank: Row = dict.fromkeys(("parent", "bucket", "label", "model_id", "centroid", "manifest_sha256"))
    kind = "era" if "_era_" in stone["name"] else "discovered"
    parent = stone["name"].split("_era_")[0] if kind == "era" else None
    named = {"name": stone["name"], "number": stone["number"], "run_id": stone["run_id"]}
    return {**blank, **named, "kind": kind, "parent": parent, "live": False}


def _in_order(identities: list[Row]) -> list[Row]:
    """Oldest first: numbers are allocated in the order of founding, eras come after the people whose they are."""
    ordered = sorted(identities, key=lambda row: (row["kind"] in ERA_KINDS, int(row["number"]), row["name"]))
    return [
        {**row, "identity_id": place, "founded": row.get("founded", place)}
        for place, row in enumerate(ordered, start=1)
    ]


def _members(one: FoundFaceset) -> list[Row]:
    rows = one.members.select("bucket", "face_id", "joined_by").unique(maintain_order=True).iter_rows(named=True)
    return [{"name": one.name, "run_id": one.run_id, **row} for row in rows]


def _tombstone(row: Mapping[str, Any]) -> Row:
    return {
        "name": str(row["name"]),
        "number": row["number"],
        "reason": str(row.get("reason") or "vanished"),
        "merged_into": row.get("merged_into"),
        "run_id": str(row.get("run_id") or UNKNOWN_RUN),
    }


def _vanished(one: FoundFaceset) -> Row:
    named = {"name": one.name, "number": one.number, "run_id": one.run_id}
    return {**named, "reason": "vanished", "merged_into": None}


def _buckets(remains: Remains) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {
        "bucket_runs": [],
        "bucket_extensions": [],
        "bucket_folders": [],
        "joins": [],
    }
    for note in notes_of_the_model(remains):
        bucket = note.run.bucket
        parameters = json.dumps(dict(note.run.identity_parameters), sort_keys=True)
        found["bucket_runs"].append({**vars(note.run), "identity_parameters": parameters})
        found["bucket_folders"].append({"bucket": bucket, "folder_digest": note.folder_digest})
        if note.extension is not None:
            inputs, distance = note.extension
            found["bucket_extensions"].append({"bucket": bucket, "inputs_digest": inputs, "route_distance": distance})
        found["joins"] += [{"bucket": bucket, **row} for row in note.joins.iter_rows(named=True)]
    return found


def _decisions(remains: Remains, live: Iterable[FoundFaceset]) -> list[Row]:
    """The funnels as noted; where a faceset says otherwise of its own members, as the faceset says."""
    rows: dict[tuple[str, str], Row] = {}
    for note in notes_of_the_model(remains):
        for row in note.funnel.iter_rows(named=True):
            rows[note.run.bucket, row["face_id"]] = {"bucket": note.run.bucket, **row}
    owned: set[tuple[str, str]] = set()
    for one in live:
        if one.kind in ERA_KINDS:
            continue
        for member in one.members.iter_rows(named=True):
            place = member["bucket"], member["face_id"]
            owned.add(place)
            known = rows.get(place)
            if known is None or (known["identity"], known["state"]) != (one.name, member["state"]):
                rows[place] = _decision(one, member, known or {})
    for place, row in rows.items():
        if row["state"] in ("exported", WITHHELD) and place not in owned:
            rows[place] = {**row, "state": "outlier", "identity": None, "value": None, "threshold": None}
    return [rows[place] for place in sorted(rows)]


def _decision(one: FoundFaceset, member: Mapping[str, Any], known: Mapping[str, Any]) -> Row:
    blank: Row = dict.fromkeys(("nearest", "nearest_distance", "ambiguous_with"))
    value, threshold = one.why.get(member["face_id"], (None, None))
    flags = {key: bool(member[key]) for key in ("source_missing", "truncated")}
    ended = {"state": member["state"], "value": value, "threshold": threshold, "identity": one.name, "ruling": None}
    place = {"bucket": member["bucket"], "face_id": member["face_id"]}
    return {**blank, **known, **place, **flags, **ended}

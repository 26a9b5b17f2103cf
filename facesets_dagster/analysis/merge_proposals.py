"""Duplicates among facesets as proposals: the domain call behind `merge_proposals`. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.consolidation import (
    ConsolidationNumbers,
    NearPair,
    gain_of,
    groups_of_one,
    keeper_of,
    near_identities,
    proposal_id,
)
from facesets_dagster.identities.coverage import stands_for_somebody
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf
from facesets_dagster.library.model import require_model
from facesets_dagster.publishing.rulings.evidence import Shown, faces_by_photo, shown_faces
from facesets_dagster.publishing.rulings.standing import two_people
from facesets_dagster.registry.merges import merged_once

_PROPOSAL = {
    "proposal_id": (pl.String(), "digest of the names; the same names have the same one"),
    "state": (pl.String(), "proposed, or why a near pair is not: vetoed, far_members, rejected, chained"),
    "rank": (pl.Int64(), "1 = most gain; null for what is not proposed"),
    "keep": (pl.String(), "the name that stays: hand_sorted, auto, discovered; then the lower number"),
    "names": (pl.List(pl.String()), "facesets that are one person, the one that stays first"),
    "labels": (pl.List(pl.String()), "their persons' names, '' for none"),
    "kinds": (pl.List(pl.String()), "their kinds"),
    "exported": (pl.List(pl.Int64()), "faces that each exports"),
    "gain": (pl.Int64(), "exported faces that come to stand with the largest of them"),
    "distance": (pl.Float64(), "largest cosine distance between two of their centroids"),
    "median_member_distance": (pl.Float64(), "of a face of one to a face of the other; the largest of all pairs"),
    "near_share": (pl.Float64(), "share of such pairs within member_distance; the smallest of all pairs"),
    "shared_faces": (pl.Int64(), "faces that two of them have, through copies of the same bytes"),
    "veto_photos": (pl.List(pl.String()), "photos (16 digits of sha256) that show both, at most 20"),
    "undone_before": (pl.Boolean(), "one of them was merged once, and that was undone"),
    "model_id": (pl.String(), "digest of the weights and det_size"),
}
PROPOSAL_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _PROPOSAL.items()})
PROPOSAL_COLUMNS = {name: words for name, (_, words) in _PROPOSAL.items()}

STATES = {
    "proposed": "one person, by everything that is known",
    "vetoed": "near, but photos show both",
    "far_members": "centroids are near, but too few of the faces are",
    "rejected": "two people: you said so",
    "chained": "near, but another faceset in the group of one of them is not",
}
_MOST_PHOTOS = 20


@dataclass(frozen=True)
class Proposals:
    """What was found."""

    table: pl.DataFrame
    """Rows of `PROPOSAL_SCHEMA`: proposals by rank, then near pairs that are none."""
    people: dict[str, Identity]
    """Identities that were compared."""
    without_faces: list[str]
    """Live ones that could not be: no centroid, or no face is known."""


@dataclass(frozen=True)
class _Compared:
    """All identities that are compared, by name."""

    people: list[Identity]
    shown: list[Shown]
    undone: set[str]
    model_id: str


def propose_merges(library: Library, store_of: StoreOf, pack: ModelPack, numbers: ConsolidationNumbers) -> Proposals:
    """Compares all live, substantive identities with each other; eras are their person's."""
    registry = library.registry
    everybody = [identity for identity in registry.identities() if identity.live and not identity.is_era]
    require_model(everybody, pack)
    known = sorted((one for one in everybody if stands_for_somebody(one)), key=lambda one: one.name)
    faces = shown_faces(library, store_of, known)
    people = [one for one in known if len(faces[one.name].unit)]
    shown, photos = [faces[one.name] for one in people], faces_by_photo(library, people)
    undone = merged_once(registry) & {one.name for one in people}
    compared = _Compared(people, shown, undone, pack.model_id)
    place = {one.name: index for index, one in enumerate(people)}
    rejected = {(place[a], place[b]) for a, b in two_people(library) if a in place and b in place}
    centroids = np.array([one.centroid for one in people], np.float32).reshape(len(people), pack.dim)
    unit = [entry.unit for entry in shown]
    pairs = near_identities(centroids, unit, [photos[one.name] for one in people], rejected, numbers)
    groups = groups_of_one(len(people), pairs, numbers.merge_distance)
    return Proposals(
        _table(compared, pairs, groups),
        {one.name: one for one in people},
        sorted(one.name for one in everybody if one.name not in place),
    )


def _table(compared: _Compared, pairs: Sequence[NearPair], groups: Sequence[Sequence[int]]) -> pl.DataFrame:
    group_of = {index: number for number, group in enumerate(groups) for index in group}
    inside: dict[int, list[NearPair]] = {number: [] for number in range(len(groups))}
    others: list[dict[str, object]] = []
    for pair in pairs:
        number = group_of.get(pair.first)
        if pair.state == "near" and number is not None and number == group_of.get(pair.second):
            inside[number].append(pair)
        else:
            state = "chained" if pair.state == "near" else pair.state
            others.append(_row(compared, [pair.first, pair.second], [pair], state))
    proposed = [_row(compared, group, inside[number], "proposed") for number, group in enumerate(groups)]
    proposed.sort(key=_by_gain)
    others.sort(key=_by_gain)
    rows = [{**row, "rank": rank} for rank, row in enumerate(proposed, start=1)] + others
    return pl.DataFrame(rows, schema=PROPOSAL_SCHEMA)


def _row(compared: _Compared, group: Sequence[int], pairs: Sequence[NearPair], state: str) -> dict[str, object]:
    keeper = keeper_of([compared.people[index] for index in group])
    ordered = sorted(group, key=lambda index: (compared.people[index] is not keeper, compared.people[index].number))
    people = [compared.people[index] for index in ordered]
    exported = [compared.shown[index].exported for index in ordered]
    return {
        "proposal_id": proposal_id(one.name for one in people),
        "state": state,
        "rank": None,
        "keep": keeper.name,
        "names": [one.name for one in people],
        "labels": [one.label or "" for one in people],
        "kinds": [one.kind for one in people],
        "exported": exported,
        "gain": gain_of(exported),
        "distance": max(pair.distance for pair in pairs),
        "median_member_distance": max(pair.median for pair in pairs),
        "near_share": min(pair.near_share for pair in pairs),
        "shared_faces": sum(pair.shared for pair in pairs),
        "veto_photos": sorted({photo for pair in pairs for photo in pair.photos})[:_MOST_PHOTOS],
        "undone_before": bool(compared.undone & {one.name for one in people}),
        "model_id": compared.model_id,
    }


def _by_gain(row: dict[str, object]) -> tuple[int, float, str]:
    return (-int(str(row["gain"])), float(str(row["distance"])), str(row["keep"]))

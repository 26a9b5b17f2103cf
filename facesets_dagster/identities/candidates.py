"""Faces that were too few to found an identity, offered: to the faceset that they are near to, or as somebody new.

The faces of all buckets are grouped at once by average linkage: three photos in one bucket and three in another are
nobody in either, and one person together. A group is judged as a whole, by the distance of its centroid, which says
more than that of any face. A faceset that has members in more than half of a group's photos is never offered that
group: nobody is on a photo twice. Nor is somebody whom a ruling refuses to a face of it; who is ignored is not offered.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.clustering import average_linkage, require_at_most
from facesets_dagster.identities.coverage import stands_for_somebody
from facesets_dagster.identities.gates import QualityGates, Verdict, failed_gate
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.ignoring import ignored_faces


@dataclass(frozen=True, kw_only=True)
class CandidateParameters(QualityGates):
    """Resolved run config of `candidate_faces`; distances are cosine distances 0..2."""

    near_distance: float
    cluster_distance: float
    min_promise: int
    max_per_group: int
    max_faces: int


@dataclass(frozen=True)
class OfferedFace:
    """A face in a folder of candidates."""

    face_id: str
    distance: float
    """To the faceset's centroid, or to that of the new group."""
    group_distance: float | None
    """Of its group's centroid to the nearest faceset: what decided; None where there is no faceset."""


@dataclass(frozen=True)
class Offer:
    """A folder of candidates."""

    folder: str
    """`to_<faceset>`, or `new_<NNN>`, whose number means nothing outside of this run."""
    faceset: str | None
    faces: tuple[OfferedFace, ...]
    """The nearest first."""


@dataclass(frozen=True)
class Offers:
    """All folders, facesets by name before new groups by size, and why every other face is in none."""

    offers: tuple[Offer, ...]
    left_out: dict[str, Verdict]
    """face_id -> `below_gate:<gate>`, `ignored`, `same_photo`, `nobody_near` (value: photos of its group),
    `over_limit`."""


@dataclass(frozen=True)
class _Faces:
    """The faces that pass the gates, by row."""

    ids: list[str]
    photos: list[str]
    """The content's digest as in a face_id: its first 16 hex digits."""
    unit: NDArray[np.float32]


@dataclass(frozen=True)
class _Group:
    """Rows that look like one person, and the identity that they are nearest to."""

    rows: NDArray[np.int64]
    nearest: Identity | None
    distance: float | None


def offer_candidates(
    faces: pl.DataFrame,
    identities: Sequence[Identity],
    photos_of: Mapping[str, AbstractSet[str]],
    parameters: CandidateParameters,
    bindings: Bindings = NO_BINDINGS,
) -> Offers:
    """Sorts faces (rows of the face table, one per face_id) into folders.

    `identities`: live ones; an era stands for its parent. `photos_of`: family -> photos of its
    members, each by the first 16 hex digits of its digest. `bindings`: what rulings say of the faces.
    """
    left_out: dict[str, Verdict] = {}
    rows = _gated(faces.sort("face_id"), parameters, left_out)
    if not bindings.is_empty():
        rows = _without_ignored(rows, identities, bindings, left_out)
    if rows.is_empty():
        return Offers((), left_out)
    known = _Faces(
        rows["face_id"].to_list(), rows["sha256"].str.slice(0, 16).to_list(), normalised(rows["embedding"].to_numpy())
    )
    near: dict[str, list[_Group]] = {}
    far: list[tuple[int, str, _Group]] = []
    for group in _groups(known, identities, photos_of, parameters, bindings):
        photos = len({known.photos[row] for row in group.rows})
        if group.nearest is not None and group.distance is not None and group.distance <= parameters.near_distance:
            near.setdefault(group.nearest.family, []).append(group)
        elif photos >= parameters.min_promise:
            far.append((-photos, known.ids[group.rows[0]], group))
        else:
            family = group.nearest.family if group.nearest else None
            verdict = Verdict("nobody_near", float(photos), float(parameters.min_promise), family)
            left_out.update({known.ids[row]: verdict for row in group.rows})
    folders: list[tuple[str, str | None, list[_Group]]] = [(f"to_{name}", name, near[name]) for name in sorted(near)]
    ordered = sorted(far, key=lambda entry: entry[:2])
    folders += [(f"new_{number:03d}", None, [group]) for number, (_, _, group) in enumerate(ordered, start=1)]
    made = [
        Offer(folder, name, _chosen(known, groups, photos_of.get(name or "", set()), name, parameters, left_out))
        for folder, name, groups in folders
    ]
    return Offers(tuple(offer for offer in made if offer.faces), left_out)


def _gated(faces: pl.DataFrame, parameters: CandidateParameters, left_out: dict[str, Verdict]) -> pl.DataFrame:
    gates = parameters.gates()
    for face_id, *values in parameters.judged(faces).select("face_id", *(gate.name for gate in gates)).iter_rows():
        failed = failed_gate(gates, {gate.name: value for gate, value in zip(gates, values, strict=True)})
        if failed is not None:
            left_out[face_id] = failed
    return faces.filter(~pl.col("face_id").is_in(list(left_out)))


def _without_ignored(
    rows: pl.DataFrame, identities: Sequence[Identity], bindings: Bindings, left_out: dict[str, Verdict]
) -> pl.DataFrame:
    """Without the faces that a ruling ignores, or that lie nearer to somebody who is ignored than to a faceset."""
    if rows.is_empty():
        return rows
    unit = normalised(rows["embedding"].to_numpy())
    centroids = [one.centroid for one in identities if stands_for_somebody(one) and one.centroid is not None]
    kept = cosine_distance(unit, np.array(centroids).reshape(len(centroids), unit.shape[1])).min(axis=1, initial=np.inf)
    left_out.update(ignored_faces(rows["face_id"].to_list(), unit, kept, bindings))
    return rows.filter(~pl.col("face_id").is_in(list(left_out)))


def _groups(
    known: _Faces,
    identities: Sequence[Identity],
    photos_of: Mapping[str, AbstractSet[str]],
    parameters: CandidateParameters,
    bindings: Bindings,
) -> list[_Group]:
    """The partition of all faces, each group with the nearest identity that it may be."""
    living = {identity.name for identity in identities if identity.live}
    people = sorted(
        (identity for identity in identities if stands_for_somebody(identity) and identity.family in living),
        key=lambda identity: identity.name,
    )
    links = bindings.links(known.ids)
    centroids = np.array([identity.centroid for identity in people], np.float32).reshape(
        len(people), known.unit.shape[1]
    )
    require_at_most(parameters.max_faces, len(known.unit), "The left-over faces")
    labels = average_linkage(known.unit, parameters.cluster_distance, together=links.together, cannot_link=links.apart)
    order = np.argsort(labels, kind="stable")
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        distances = cosine_distance(centroid(known.unit[rows])[None], centroids)[0]
        photos = {known.photos[row] for row in rows}
        refused = {name for row in rows for name in bindings.refused.get(known.ids[row], ())}
        for index in np.argsort(distances, kind="stable"):
            if people[index].family in refused:
                continue
            if 2 * len(photos & photos_of.get(people[index].family, set())) <= len(photos):
                found.append(_Group(rows, people[index], float(distances[index])))
                break
        else:
            found.append(_Group(rows, None, None))
    return found


def _chosen(
    known: _Faces,
    groups: Sequence[_Group],
    taken: AbstractSet[str],
    faceset: str | None,
    parameters: CandidateParameters,
    left_out: dict[str, Verdict],
) -> tuple[OfferedFace, ...]:
    """The faces of a folder: one per photo, none of a photo that shows the faceset's person already (`taken`)."""
    entries: list[tuple[float, str, str, float | None]] = []
    for group in groups:
        unit = known.unit[group.rows]
        known_centre = group.nearest.centroid if faceset is not None and group.nearest is not None else None
        centre = centroid(unit) if known_centre is None else known_centre
        for row, distance in zip(group.rows, cosine_distance(unit, centre[None])[:, 0], strict=True):
            entries.append((float(distance), known.ids[row], known.photos[row], group.distance))
    shown, chosen = set(taken), list[OfferedFace]()
    for distance, face_id, photo, group_distance in sorted(entries, key=lambda entry: entry[:2]):
        if photo in shown:
            left_out[face_id] = Verdict("same_photo", distance, None, faceset)
        elif len(chosen) == parameters.max_per_group:
            left_out[face_id] = Verdict("over_limit", distance, None, faceset)
        else:
            chosen.append(OfferedFace(face_id, distance, group_distance))
        shown.add(photo)
    return tuple(chosen)

"""People asserted by folders: which of the faces in a folder are those of its person.

Two passes, as the legacy `build_folders`: of the folder's clusters (average linkage) the one whose centroid most photos
have a face within `first_distance` of; those faces give a second centroid, the faces within `second_distance` of that
are the person. Other people in those photos are not taken. A folder in which no person is in more than half of the
photos, or two are in equally many, is reported, not guessed.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import Bindings
from facesets_dagster.identities.clustering import average_linkage
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised


@dataclass(frozen=True)
class FolderPerson:
    """What a folder came to."""

    folder: str
    photos: int
    """Contents in the folder that show a face."""
    faces: int
    share: float
    """Share of the photos that show the most frequent person, 0..1."""
    centroid: NDArray[np.float32] | None
    """(dim,), unit length; None without a majority."""


@dataclass(frozen=True)
class HandSorted:
    """All folders, and where every face of them ends before curation."""

    people: list[FolderPerson]
    members: dict[str, list[str]]
    """Folder -> face_ids, for folders with a majority."""
    verdicts: dict[str, Verdict]
    """face_id -> why it is not a member here."""
    nearest: dict[str, tuple[str, float]]
    """face_id -> nearest folder that it lies in, and the distance."""


def assert_people(
    faces: pl.DataFrame, folders: Mapping[str, AbstractSet[str]], *, first_distance: float, second_distance: float
) -> HandSorted:
    """Assigns faces (rows of the face table) to folders (name -> content digests; a content may lie in several).

    A face that two folders claim goes to the nearer one. Distances are cosine distances 0..2.
    """
    faces = faces.sort("face_id")
    ids, photos = faces["face_id"].to_list(), faces["sha256"].to_list()
    unit = normalised(faces["embedding"].to_numpy()) if len(faces) else np.zeros((0, 1), np.float32)
    result = HandSorted([], {}, {}, {})
    shares: dict[str, float] = {}
    for folder, contents in sorted(folders.items()):
        rows = np.array([index for index, photo in enumerate(photos) if photo in contents], np.int64)
        person = _person(folder, unit[rows], [photos[index] for index in rows], first_distance)
        result.people.append(person)
        for index in rows:
            shares[ids[index]] = max(shares.get(ids[index], 0.0), person.share)
        if person.centroid is None:
            continue
        result.members[folder] = []
        distances = cosine_distance(unit[rows], person.centroid[None])[:, 0]
        for index, distance in zip(rows, distances, strict=True):
            known = result.nearest.get(ids[index])
            if known is None or float(distance) < known[1]:
                result.nearest[ids[index]] = (folder, float(distance))
    for face_id in ids:
        if face_id not in result.nearest:
            result.verdicts[face_id] = Verdict("below_gate:majority", shares.get(face_id, 0.0), 0.5)
        elif result.nearest[face_id][1] > second_distance:
            result.verdicts[face_id] = Verdict("outlier", result.nearest[face_id][1], second_distance)
        else:
            result.members[result.nearest[face_id][0]].append(face_id)
    return result


def obeying(people: HandSorted, bindings: Bindings, person_of: Mapping[str, str]) -> HandSorted:
    """Folders without the faces that rulings give to others, refuse to their person, or ignore: rulings come first.

    `person_of`: folder -> identity that it asserts; a folder of a new person has none.
    """
    if bindings.is_empty():
        return people
    members: dict[str, list[str]] = {}
    verdicts = dict(people.verdicts)
    for folder, faces in people.members.items():
        ruled = {face: _by_ruling(face, bindings, person_of.get(folder)) for face in faces}
        verdicts.update({face: one for face, one in ruled.items() if one is not None})
        members[folder] = [face for face, one in ruled.items() if one is None]
    return replace(people, members=members, verdicts=verdicts)


def _by_ruling(face: str, bindings: Bindings, person: str | None) -> Verdict | None:
    """Why a face is not its folder's person; None if no ruling says so."""
    if face in bindings.ignored:
        ruling = bindings.ignored[face]
        return Verdict("ignored", None, None, bindings.people.called(ruling), ruling)
    if face in bindings.belongs and bindings.belongs[face] != person:
        return Verdict("covered", None, None, bindings.belongs[face])
    if person is not None and person in bindings.refused.get(face, ()):
        return Verdict("ruled_out", None, None, person)
    return None


def _person(folder: str, unit: NDArray[np.float32], photos: list[str], first_distance: float) -> FolderPerson:
    count = len(set(photos))
    if not count:
        return FolderPerson(folder, 0, 0, 0.0, None)
    labels = average_linkage(unit, first_distance)
    seeds = [centroid(unit[labels == label]) for label in range(labels.max() + 1)]
    near = cosine_distance(unit, np.array(seeds)) <= first_distance
    shown = [len({photo for photo, is_near in zip(photos, column, strict=True) if is_near}) for column in near.T]
    best = max(range(len(seeds)), key=lambda seed: (shown[seed], -seed))  # on a tie the larger cluster
    share = shown[best] / count
    apart = cosine_distance(np.array(seeds), seeds[best][None])[:, 0] > first_distance
    rivals = [seed for seed in range(len(seeds)) if apart[seed] and shown[seed] == shown[best]]
    if share <= 0.5 or rivals:
        return FolderPerson(folder, count, len(unit), share, None)
    return FolderPerson(folder, count, len(unit), share, centroid(unit[near[:, best]]))

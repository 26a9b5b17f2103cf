"""Faces under a wrong name: nearer to another person than strangers ever come, and nearer than to their own.

Labels of folders are never free of them, and one such face in a group of twenty is twenty wrong pairs.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.calibration import GROUP, KnownFaces
from facesets_dagster.identities.geometry import cosine_distance, normalised
from facesets_dagster.identities.strangers import distances_of_pairs, distances_to_groups, strangers_of

_NEVER = 1e-8
"""Strangers come so near in this share of pairs: none in the folders of some thousand people."""
_OWN_FARTHEST = 2.0


def without_noise(faces: KnownFaces) -> tuple[KnownFaces, list[tuple[int, str]]]:
    """The same faces with those under a wrong name as not known, and their rows with the person they look like.

    Of two single faces that are one person under two names both are left out.
    """
    known = np.flatnonzero(faces.people >= 0)
    far, looks_like = _to_others(faces, known)
    wrong = dict(zip(known[far].tolist(), (faces.names[one] for one in looks_like[far]), strict=True))
    people = faces.people.copy()
    people[list(wrong)] = -1
    for row, name in _pairs_under_two_names(replace(faces, people=people)):
        wrong.setdefault(row, name)
    people[list(wrong)] = -1
    return replace(faces, people=people), sorted(wrong.items())


def _to_others(faces: KnownFaces, known: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which known faces (m,) look like somebody else's, and like whose (m,)."""
    strangers, _ = distances_to_groups(faces.unit, faces.people, GROUP)
    near = strangers_of(strangers).distance_at(_NEVER)
    people = faces.people[known]
    counts = np.bincount(people, minlength=len(faces.names))
    sums = np.zeros((len(faces.names), faces.unit.shape[1]))
    np.add.at(sums, people, faces.unit[known])
    large = np.flatnonzero(counts >= GROUP)
    distances = cosine_distance(faces.unit[known], normalised(sums[large]))
    distances[people[:, None] == large[None]] = _OWN_FARTHEST
    best = distances.argmin(axis=1)
    without = normalised(sums[people] - faces.unit[known])
    own = 1 - np.einsum("nd,nd->n", faces.unit[known], without)
    own[counts[people] < 2] = _OWN_FARTHEST
    nearest = distances[np.arange(len(known)), best]
    return (nearest <= near) & (nearest < own), large[best]


def _pairs_under_two_names(faces: KnownFaces) -> list[tuple[int, str]]:
    """Rows of faces that are as near to a face of another name as strangers never are, and that name."""
    rows = np.flatnonzero(faces.people >= 0)
    near = strangers_of(distances_of_pairs(faces.unit, faces.people)[0]).distance_at(_NEVER)
    found: dict[int, str] = {}
    for start in range(0, len(rows), 2_048):
        block = rows[start : start + 2_048]
        distances = cosine_distance(faces.unit[block], faces.unit[rows])
        other = faces.people[block][:, None] != faces.people[rows][None]
        first, second = np.nonzero((distances <= near) & other)
        for one, another in zip(block[first].tolist(), rows[second].tolist(), strict=True):
            found.setdefault(one, faces.names[faces.people[another]])
    return sorted(found.items())

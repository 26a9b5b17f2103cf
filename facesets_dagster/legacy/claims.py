"""The owner of a face that two legacy facesets claim. Eras of a person are intended copies of the person's faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import centroid, distance_between, normalised


@dataclass(frozen=True)
class Claim:
    """A faceset names a face of ours."""

    name: str
    family: str
    """The person: an era's parent, else the faceset itself."""
    face_id: str
    embedding: NDArray[np.float32]
    """(dim,), raw."""


@dataclass(frozen=True)
class Lost:
    """A claim that another has the better right to."""

    name: str
    face_id: str
    to: str
    distance: float | None
    """Cosine distance to the centroid of the faceset that lost it; None if it has no other face."""
    reason: str
    """`ambiguous` (the other is a legacy person too and nearer), `member_elsewhere` (a member of another identity)."""


def assign_claims(claims: Sequence[Claim], taken: Mapping[str, str]) -> list[Lost]:
    """The claims that do not hold. `taken`: face_id -> family of the live identity that has it already.

    A face that several families claim goes to the one it is nearest to; centroids are made of the faces that only one
    family claims. Ties go to the first name.
    """
    claimants: dict[str, list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: (claim.face_id, claim.name)):
        claimants.setdefault(claim.face_id, []).append(claim)
    contested = {
        face_id
        for face_id, found in claimants.items()
        if len({claim.family for claim in found} | ({taken[face_id]} if face_id in taken else set())) > 1
    }
    centres = _centres([claim for claim in claims if claim.face_id not in contested])
    lost: list[Lost] = []
    for face_id in sorted(contested):
        found = claimants[face_id]
        distances = {claim.name: _distance(claim, centres) for claim in found}
        families = {claim.family for claim in found}
        winner = taken.get(face_id) or min(found, key=lambda claim: (_known(distances[claim.name]), claim.name)).family
        reason = "ambiguous" if winner in families else "member_elsewhere"
        lost += [
            Lost(claim.name, face_id, winner, distances[claim.name], reason)
            for claim in found
            if claim.family != winner
        ]
    return lost


def _centres(claims: Sequence[Claim]) -> dict[str, NDArray[np.float32]]:
    vectors: dict[str, list[NDArray[np.float32]]] = {}
    for claim in sorted(claims, key=lambda claim: (claim.name, claim.face_id)):
        vectors.setdefault(claim.name, []).append(claim.embedding)
    return {name: centroid(np.array(found)) for name, found in vectors.items()}


def _distance(claim: Claim, centres: Mapping[str, NDArray[np.float32]]) -> float | None:
    centre = centres.get(claim.name)
    return None if centre is None else distance_between(normalised(claim.embedding), centre)


def _known(distance: float | None) -> float:
    return np.inf if distance is None else distance

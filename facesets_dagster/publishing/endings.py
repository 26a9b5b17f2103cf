"""Where each face of a bucket ends once its groups are resolved. Shared by publishing and by the rehearsal of it.

Pure: what the groups' exports hold is handed in, and what is published elsewhere is asked for by a callback.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.numbering import faceset_name
from facesets_dagster.publishing.resolution import Group, Proposal, Resolution, new_name


@dataclass(frozen=True)
class Ending:
    """A group and what an export of it holds."""

    name: str | None
    """None for a group without one exportable face that is nobody's."""
    group: Group
    here: AbstractSet[str]
    """Its members through the bucket that is published."""
    excluded: Mapping[str, Verdict]
    """Members that are not exported."""


def names_of(groups: Sequence[Group], next_number: int) -> list[tuple[str, int]]:
    """Name and number of each group; new ones take the numbers from `next_number` on, in their order."""
    names: list[tuple[str, int]] = []
    for group in groups:
        if group.identity is not None:
            names.append((group.identity.name, group.identity.number))
        else:
            names.append((faceset_name(next_number), next_number))
            next_number += 1
    return names


def terminal_verdicts(
    proposal: Proposal, resolution: Resolution, endings: Sequence[Ending], standing: AbstractSet[str]
) -> dict[str, Verdict]:
    """face_id -> terminal verdict of every face of the bucket that is nobody's member elsewhere.

    `endings`: of the groups of the resolution in their order, then of its empty ones; `standing`: faces that stay
    published although they could not be exported now.
    """
    verdicts = {**proposal.verdicts, **resolution.overrides}
    founded = [ending.name for ending in endings if ending.name is not None and ending.group.identity is None]
    real_names = {new_name(place): name for place, name in enumerate(founded, start=1)}
    for face_id, verdict in resolution.overrides.items():
        if verdict.identity is not None and verdict.identity in real_names:
            verdicts[face_id] = Verdict(verdict.state, verdict.value, verdict.threshold, real_names[verdict.identity])
    for ending in endings:
        for face_id in ending.here & ending.group.members.keys():
            exported = face_id in standing or face_id not in ending.excluded
            ended = Verdict("exported") if exported else ending.excluded[face_id]
            verdicts[face_id] = Verdict(ended.state, ended.value, ended.threshold, ending.name)
    return verdicts


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
            distance = _distance(proposal.unit[face_id], centre)
        waiting = Verdict("covered", distance, cover_distance, name)  # an adopted legacy faceset
        found[face_id] = facesets[name].get(face_id, waiting)
    return found


def _distance(face: NDArray[np.float32], centre: NDArray[np.float32]) -> float:
    return float(cosine_distance(face[None], centre[None])[0, 0])

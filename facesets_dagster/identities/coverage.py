"""Which faces of a bucket are spoken for: by another bucket's identity, or by one of its own.

The rules: thin eras stand for nobody, an era stands for its parent; foreign identities cover; own identities grow; a
member stays a member and is never covered by an identity founded after its own; a byte copy of somebody's member is
covered by them; a face within reach of two families is flagged ambiguous and goes to the nearest only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.identity import Identity


@dataclass(frozen=True)
class Coverage:
    """One entry per face; names are None and distances NaN where there is nobody."""

    member_of: tuple[str | None, ...]
    """Live identity of which the face is a member already."""
    copy_of: tuple[str | None, ...]
    """Live identity that has the same bytes as a member, through another bucket."""
    foreign: tuple[str | None, ...]
    foreign_distance: NDArray[np.float32]
    """Nearest identity of another bucket (or of none) that may cover this face."""
    own: tuple[str | None, ...]
    own_distance: NDArray[np.float32]
    """Nearest identity that this bucket founded."""
    second: tuple[str | None, ...]
    second_distance: NDArray[np.float32]
    """Nearest identity of another family than the nearest of all."""


def cover(
    unit: NDArray[np.float32],
    face_ids: Sequence[str],
    bucket: str,
    identities: Sequence[Identity],
    members: Mapping[str, str],
    copies: Mapping[str, str],
) -> Coverage:
    """Distances of unit rows (n, dim) to all live identities with a centroid, by the rules above.

    `members`: face_id -> name of the live identity, own or extended, that has it; `copies`: face_id -> name of the one
    that has the very same face through another bucket. A copy is that identity's however far it lies from the centroid.
    """
    by_name = {identity.name: identity for identity in identities if identity.live}
    known = [identity for identity in by_name.values() if stands_for_somebody(identity) and identity.family in by_name]
    member_of = tuple(members.get(face_id) for face_id in face_ids)
    centroids = np.array([identity.centroid for identity in known], np.float32).reshape(len(known), unit.shape[1])
    distance = cosine_distance(unit, centroids)
    is_own = np.array([identity.bucket == bucket for identity in known], bool)
    founded = np.array([identity.founded for identity in known], np.int64)
    newest = np.iinfo(np.int64).max
    member_since = np.array([by_name[name].founded if name in by_name else newest for name in member_of], np.int64)
    may_cover = ~is_own[None, :] & (founded[None, :] < member_since[:, None])
    foreign, foreign_distance = _nearest(distance, may_cover, known)
    copy_of = tuple(copies.get(face_id) if face_id not in members else None for face_id in face_ids)
    place = {identity.name: index for index, identity in enumerate(known)}
    for row, name in enumerate(copy_of):
        if name is not None:
            foreign_distance[row] = distance[row, place[name]] if name in place else np.nan
    foreign = tuple(copy or name for copy, name in zip(copy_of, foreign, strict=True))
    own, own_distance = _nearest(distance, np.broadcast_to(is_own, distance.shape), known)
    families = np.array([identity.family for identity in known], object)
    first_family = np.array([families[row.argmin()] if known else "" for row in distance], object)
    other = families[None, :] != first_family[:, None]
    second, second_distance = _nearest(distance, other, known)
    return Coverage(member_of, copy_of, foreign, foreign_distance, own, own_distance, second, second_distance)


def stands_for_somebody(identity: Identity) -> bool:
    """Whether faces may be covered by it: live, substantive, with a centroid."""
    return identity.live and identity.centroid is not None and identity.kind != "thin_era"


def _nearest(
    distance: NDArray[np.float32], allowed: NDArray[np.bool_], known: list[Identity]
) -> tuple[tuple[str | None, ...], NDArray[np.float32]]:
    if not known:
        return (None,) * len(distance), np.full(len(distance), np.nan, np.float32)
    masked = np.where(allowed, distance, np.inf)
    best = masked.argmin(axis=1)
    values = masked[np.arange(len(masked)), best].astype(np.float32)
    names = tuple(
        known[index].family if np.isfinite(value) else None for index, value in zip(best, values, strict=True)
    )
    return names, np.where(np.isfinite(values), values, np.nan).astype(np.float32)

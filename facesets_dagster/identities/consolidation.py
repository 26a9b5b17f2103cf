"""Which identities are one person: pairs that are near, what speaks against them, and groups in which all are near.

Groups by complete linkage: no two of a group lie farther apart than the threshold, because single linkage chained 60
people of the legacy library together (smallest similarity inside: -0.16). A pair counts only if the members agree with
the centroids, no photo shows both, and nobody said that they are two people.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import cosine_distance, distance_between
from facesets_dagster.identities.identity import Identity, by_trust
from facesets_dagster.identities.pairs import near_pairs
from facesets_dagster.linkage import APART, complete_linkage, connected

_SLACK = 1e-4
"""More distance for the search in float32 blocks; the threshold itself is asked afterwards."""
_MOST_FACES = 200
"""Of each identity, the best ones, for the evidence of a pair."""

Photos = Mapping[str, AbstractSet[str]]
"""Photo -> faces of one identity in it."""


@dataclass(frozen=True)
class ConsolidationNumbers:
    """Resolved run config; cosine distances 0..2."""

    merge_distance: float
    """Between centroids."""
    member_distance: float
    """Between a face of one and a face of the other."""
    min_near_share: float
    """Share of such pairs of faces that must lie within `member_distance`, 0..1."""


@dataclass(frozen=True)
class NearPair:
    """Two identities whose centroids are near, by index, and what else is known of them."""

    first: int
    second: int
    distance: float
    median: float
    """Median distance of a face of one to a face of the other."""
    near_share: float
    shared: int
    """Faces that both have, through copies of the same bytes."""
    photos: tuple[str, ...]
    """That show both."""
    state: str
    """`near`, or what speaks against it: `rejected`, `vetoed` (a photo shows both), `far_members`."""


def near_identities(
    centroids: NDArray[np.float32],
    faces: Sequence[NDArray[np.float32]],
    photos: Sequence[Photos],
    rejected: Collection[tuple[int, int]],
    numbers: ConsolidationNumbers,
) -> list[NearPair]:
    """Pairs within `merge_distance`, by their indices.

    `centroids` (k, dim) and `faces` k times (n, dim): unit rows, a best face first. `rejected`: pairs of indices, the
    lower one first. Memory is linear in k.
    """
    found = []
    for rows, others, _ in near_pairs(centroids, 1.0 - numbers.merge_distance - _SLACK):
        for first, second in zip(rows.tolist(), others.tolist(), strict=True):
            distance = distance_between(centroids[first], centroids[second])
            if distance <= numbers.merge_distance:
                is_rejected = (first, second) in rejected
                found.append(_judged(first, second, distance, faces, photos, is_rejected, numbers))
    return found


def _judged(
    first: int,
    second: int,
    distance: float,
    faces: Sequence[NDArray[np.float32]],
    photos: Sequence[Photos],
    is_rejected: bool,
    numbers: ConsolidationNumbers,
) -> NearPair:
    between = cosine_distance(faces[first][:_MOST_FACES], faces[second][:_MOST_FACES])
    near_share = float((between <= numbers.member_distance).mean())
    together = photos_with_both(photos[first], photos[second])
    state = "near"
    if is_rejected:
        state = "rejected"
    elif together:
        state = "vetoed"
    elif near_share < numbers.min_near_share:
        state = "far_members"
    shared = sum(len(own & photos[second].get(photo, frozenset())) for photo, own in photos[first].items())
    return NearPair(first, second, distance, float(np.median(between)), near_share, shared, tuple(together), state)


def photos_with_both(first: Photos, second: Photos) -> list[str]:
    """Photos in which each has a face of its own. The same face in both is no second person, but a copy."""
    return sorted(photo for photo in first.keys() & second.keys() if first[photo].isdisjoint(second[photo]))


def groups_of_one(count: int, pairs: Iterable[NearPair], merge_distance: float) -> list[list[int]]:
    """Sets of two and more of `count` identities in which every pair is `near`, by complete linkage; by first index."""
    good = [pair for pair in pairs if pair.state == "near"]
    ends = np.array([(pair.first, pair.second) for pair in good], np.int64).reshape(-1, 2)
    parts: dict[int, list[int]] = {}
    for index, label in enumerate(connected(count, ends[:, 0], ends[:, 1]).tolist()):
        parts.setdefault(label, []).append(index)
    groups = []
    for part in (part for part in parts.values() if len(part) > 1):
        row_of = {index: row for row, index in enumerate(part)}
        distance = np.full((len(part), len(part)), APART)
        np.fill_diagonal(distance, 0.0)
        for pair in (pair for pair in good if pair.first in row_of):
            first, second = row_of[pair.first], row_of[pair.second]
            distance[first, second] = distance[second, first] = pair.distance
        labels = complete_linkage(distance, merge_distance)
        groups += [[part[row] for row in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    return sorted(group for group in groups if len(group) > 1)


def keeper_of(people: Sequence[Identity]) -> Identity:
    """Whose name stays: hand-sorted before auto before discovered, then the lower number."""
    return min(people, key=by_trust)


def gain_of(exported: Sequence[int]) -> int:
    """Exported faces that come to stand with the largest faceset of a group."""
    return sum(exported) - max(exported)


def proposal_id(names: Iterable[str]) -> str:
    """Stable for the same names."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12]

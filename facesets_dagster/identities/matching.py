"""Clusters of a run against identities that exist: the same people keep their identity."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet


def match_by_overlap(
    clusters: Mapping[int, AbstractSet[str]],
    identities: Mapping[int, AbstractSet[str]],
    refused: Mapping[int, Mapping[int, AbstractSet[str]]] | None = None,
) -> dict[int, int]:
    """Cluster key -> identity number, one to one, by the largest overlap of face ids.

    A pair counts only if the overlap is at least half of the smaller set. Pairs are taken largest overlap first, ties
    to the lower number, then to the lower cluster key. `refused`: cluster key -> number -> faces of the cluster that
    the identity may not have; they do not count.
    """
    owner: dict[str, list[int]] = {}
    for number, faces in identities.items():
        for face in faces:
            owner.setdefault(face, []).append(number)
    pairs: list[tuple[int, int, int]] = []
    for key, faces in clusters.items():
        overlaps: dict[int, int] = {}
        for face in faces:
            for number in owner.get(face, ()):
                overlaps[number] = overlaps.get(number, 0) + 1
        without = (refused or {}).get(key, {})
        for number, overlap in overlaps.items():
            left_out = without.get(number, frozenset())
            overlap -= len(left_out & identities[number])
            if overlap and 2 * overlap >= min(len(faces) - len(left_out), len(identities[number])):
                pairs.append((-overlap, number, key))
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, number, key in sorted(pairs):
        if key not in matched and number not in taken:
            matched[key] = number
            taken.add(number)
    return matched

"""What a bucket's clusters become, judged against the registry as it is now. Pure but for the `build` callback.

Run once before the lock is taken (so that crops are rendered outside of it) and again under the lock, because another
bucket may have published in between.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.coverage import stands_for_somebody
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid, nearest
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.matching import match_by_overlap
from facesets_dagster.library.numbering import faceset_name
from facesets_dagster.publishing.proposal import Proposal
from facesets_dagster.publishing.ruled_resolution import Refusals, evicted, obeying, without_those_who_stay


@dataclass(frozen=True)
class Group:
    """Members of one identity after this run: an existing identity's, or a cluster's that may found one."""

    members: Mapping[str, str]
    """face_id -> how it joined: `founded`, `grown`."""
    identity: Identity | None
    """The identity that keeps its name; None for a new one."""

    @property
    def name(self) -> str | None:
        """The identity's."""
        return self.identity.name if self.identity else None


@dataclass
class Resolution:
    """Fates of all groups and faces."""

    groups: list[Group] = field(default_factory=list)
    """Identities that exist first (by number), then new ones in the order of their numbers."""
    empty: list[Group] = field(default_factory=list)
    """Groups without an exportable face. They found and revive no identity, and retire one that has lost members."""
    overrides: dict[str, Verdict] = field(default_factory=dict)
    """Verdicts that differ from the proposal's."""
    vanished: list[Identity] = field(default_factory=list)

    def new_groups(self) -> list[Group]:
        """Groups that found an identity, in the order of their numbers."""
        return [group for group in self.groups if group.identity is None]

    def names(self, next_number: int) -> list[str]:
        """Name of each group; new ones take the numbers from `next_number` on, in their order."""
        numbers = itertools.count(next_number)
        return [group.name or faceset_name(next(numbers)) for group in self.groups]


def new_name(place: int) -> str:
    """Placeholder for the name of the `place`-th (1, 2, ...) new identity until its number is allocated.

    Sorts after every real name, so that on a tie an identity that exists wins.
    """
    return f"\uffffnew {place:06d}"


Build = Callable[[Mapping[str, str], str | None], NDArray[np.float32] | None]
"""Members and the identity's name (None for a new one) -> centroid (dim,) of the faces that an export of them would
hold; None if it would hold none."""


def resolve(
    proposal: Proposal,
    identities: Sequence[Identity],
    members: Mapping[str, Mapping[str, str]],
    elsewhere: Mapping[str, AbstractSet[str]],
    build: Build,
) -> Resolution:
    """Matches clusters to the bucket's own identities, then to all others, and founds what is left.

    `members`: identity -> face_id -> how it joined; `elsewhere`: identity -> its members from other buckets, which this
    bucket's parameters do not move. The rulings of the proposal come first: nobody gets a face that is refused to them.
    """
    result = Resolution()
    own = {
        identity.number: identity
        for identity in identities
        if identity.bucket == proposal.bucket and not identity.is_era
    }
    before = proposal.verdicts
    live_own = {identity.name: number for number, identity in own.items() if identity.live}
    proposal, elsewhere, theirs = obeying(proposal, live_own, members, elsewhere)
    if proposal.verdicts is not before:
        result.overrides.update((face, one) for face, one in proposal.verdicts.items() if one != before[face])
    refusals = Refusals(proposal.bindings)
    proposal, matched = _matches(proposal, own, members, elsewhere, theirs, refusals)
    proposal, elsewhere = without_those_who_stay(proposal, own.values(), matched, members, elsewhere)
    _keep_own(proposal, own, members, elsewhere, matched, refusals, result)
    live = _live(proposal, identities, members, build, result)
    for group in result.groups:
        refusals.give(group.name or "", group.members)
    family_of = {identity.name: identity.family for identity in identities}
    for label in _by_size(proposal, set(proposal.clusters) - set(matched)):
        _found_or_cover(proposal, proposal.clusters[label], live, family_of, build, refusals, result)
    return result


def _live(
    proposal: Proposal,
    identities: Sequence[Identity],
    members: Mapping[str, Mapping[str, str]],
    build: Build,
    result: Resolution,
) -> dict[str, NDArray[np.float32]]:
    """Centroids that new clusters are held against; puts groups aside of which nothing can be exported.

    A live identity that kept its members stays as it is published; one that lost some vanishes, for what is published
    shows faces that may be others' by now.
    """
    curated = {}
    own, result.groups = result.groups, []
    for group in own:
        identity = group.identity
        assert identity is not None
        middle = build(group.members, identity.name)
        if middle is not None:
            curated[identity.name] = middle
        elif not identity.live or members.get(identity.name, {}).keys() - group.members.keys():
            result.empty.append(group)
            result.vanished += [identity] if identity.live else []
            continue
        result.groups.append(group)
    kept = {group.identity.name for group in result.groups if group.identity}
    live = {
        identity.name: identity.centroid
        for identity in identities
        if identity.centroid is not None
        and stands_for_somebody(identity)
        and (identity.bucket != proposal.bucket or identity.name in kept)
    }
    return {**live, **curated}


def _matches(
    proposal: Proposal,
    own: Mapping[int, Identity],
    members: Mapping[str, Mapping[str, str]],
    elsewhere: Mapping[str, AbstractSet[str]],
    theirs: Mapping[int, int],
    refusals: Refusals,
) -> tuple[Proposal, dict[int, Identity]]:
    """Cluster label -> own identity found again, and the proposal without the faces that it may not have.

    A retired one comes back only with `min_faces` photos. `theirs`: clusters that are somebody's by a ruling.
    """
    number_of = {identity.name: number for number, identity in own.items()}
    clusters, matched = dict(proposal.clusters), dict(theirs)
    for label, number in theirs.items():
        refusals.give(own[number].name, clusters[label])
    previous = {
        number: set(members.get(identity.name, {})) - elsewhere.get(identity.name, set())
        for number, identity in own.items()
    }
    for is_live in (True, False):
        known = {number: faces for number, faces in previous.items() if own[number].live is is_live}
        free = {
            label: faces
            for label, faces in clusters.items()
            if label not in matched and (is_live or proposal.photos(faces) >= proposal.min_faces)
        }
        refused = refusals.without(free, number_of)
        found = match_by_overlap(free, known, refused)
        clusters = evicted(clusters, found, refused)
        matched.update(found)
    return replace(proposal, clusters=clusters), {label: own[number] for label, number in matched.items()}


def _keep_own(
    proposal: Proposal,
    own: Mapping[int, Identity],
    members: Mapping[str, Mapping[str, str]],
    elsewhere: Mapping[str, AbstractSet[str]],
    matched: Mapping[int, Identity],
    refusals: Refusals,
    result: Resolution,
) -> None:
    labels_of: dict[str, list[int]] = {}
    for label, identity in matched.items():
        labels_of.setdefault(identity.name, []).append(label)
    joining: dict[str, list[str]] = {}
    for face_id, verdict in proposal.verdicts.items():
        if verdict.state == "joining" and verdict.identity is not None:
            joining.setdefault(verdict.identity, []).append(face_id)
    for _, identity in sorted(own.items()):
        labels = labels_of.get(identity.name, [])
        if not labels and not identity.live:
            continue
        before, others = members.get(identity.name, {}), elsewhere.get(identity.name, set())
        if not identity.live:
            kept = refusals.coming_back(
                identity.name, before, (f for label in labels for f in proposal.clusters[label])
            )
            before = {face: how for face, how in before.items() if face in kept}
        if not labels and proposal.mode == "rebuild" and not others and identity.name not in joining:
            result.vanished.append(identity)
            continue
        grown = {face: how for face, how in before.items() if proposal.mode == "grow" or face in others}
        newcomers = [*joining.get(identity.name, []), *(face for label in labels for face in proposal.clusters[label])]
        for face_id in newcomers:
            grown.setdefault(face_id, before.get(face_id, "grown"))
        result.groups.append(Group(dict(sorted(grown.items())), identity))


def _found_or_cover(
    proposal: Proposal,
    faces: AbstractSet[str],
    live: dict[str, NDArray[np.float32]],
    family_of: Mapping[str, str],
    build: Build,
    refusals: Refusals,
    result: Resolution,
) -> None:
    photos = proposal.photos(faces)
    if photos < proposal.min_faces:
        small = Verdict("small_cluster", float(photos), float(proposal.min_faces))
        result.overrides.update(dict.fromkeys(faces, small))
        return
    ordered = sorted(faces)
    middle = centroid(np.array([proposal.unit[face] for face in ordered]))
    refused = {family_of.get(name, name) for name in refusals.of(faces)}
    names = sorted(name for name in live if family_of.get(name, name) not in refused)
    index, distance = nearest(middle[None], np.array([live[name] for name in names]).reshape(len(names), len(middle)))
    if index[0] >= 0 and distance[0] <= proposal.rematch_distance:
        covered = Verdict(
            "covered", float(distance[0]), proposal.rematch_distance, family_of.get(names[index[0]], names[index[0]])
        )
        result.overrides.update(dict.fromkeys(faces, covered))
        refusals.give(names[index[0]], faces)
        return
    group = Group(dict.fromkeys(ordered, "founded"), None)
    curated = build(group.members, None)
    if curated is None:
        result.empty.append(group)
        return
    result.groups.append(group)
    live[new_name(len(result.new_groups()))] = curated
    refusals.give(new_name(len(result.new_groups())), faces)


def _by_size(proposal: Proposal, labels: Iterable[int]) -> list[int]:
    """Size (distinct contents) descending, ties by the smallest face_id: the order of new numbers."""
    return sorted(
        labels, key=lambda label: (-_contents(proposal, proposal.clusters[label]), min(proposal.clusters[label]))
    )


def _contents(proposal: Proposal, faces: AbstractSet[str]) -> int:
    return len({proposal.photo_of[face] for face in faces})

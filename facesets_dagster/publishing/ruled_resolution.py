"""What rulings change when clusters become facesets. Part of `resolution`; pure.

The tables of a bucket obey the rulings that were in force when they were made; those that came since are obeyed here.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from facesets_dagster.identities.bindings import Bindings
from facesets_dagster.identities.consequences import completed
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.identity import Identity
from facesets_dagster.publishing.proposal import Proposal


class Refusals:
    """Who may not have a face: by rulings, and because they have one that is another person's."""

    def __init__(self, said: Bindings) -> None:
        """`said`: with what follows from it."""
        self._refused = said.refused
        group_of = {face: group for group in said.together for face in group}
        self._others: dict[str, set[str]] = {}
        for pair in said.apart:
            for face, other in (pair, pair[::-1]):
                for one in group_of.get(face, {face}):
                    self._others.setdefault(one, set()).update(group_of.get(other, {other}))
        self._given: dict[str, set[str]] = {}

    def give(self, name: str, faces: Iterable[str]) -> None:
        """These faces are this identity's, or end covered by it."""
        if self._others:
            self._given.setdefault(name, set()).update(faces)

    def of(self, faces: AbstractSet[str]) -> dict[str, set[str]]:
        """Identity -> those of the faces that it may not have."""
        found: dict[str, set[str]] = {}
        for face in faces & self._refused.keys():
            for name in self._refused[face]:
                found.setdefault(name, set()).add(face)
        for face in faces & self._others.keys():
            for name, given in self._given.items():
                if given & self._others[face]:
                    found.setdefault(name, set()).add(face)
        return found

    def coming_back(self, name: str, members: Iterable[str], faces: Iterable[str]) -> set[str]:
        """Those of the former members of a retired identity that it may have again, with these faces of a cluster."""
        self.give(name, faces)
        found: set[str] = set()
        for face in sorted(members):
            if name not in self.of({face}):
                self.give(name, {face})
                found.add(face)
        return found

    def without(
        self, clusters: Mapping[int, AbstractSet[str]], number_of: Mapping[str, int]
    ) -> dict[int, dict[int, set[str]]]:
        """Cluster -> number of an identity -> those of its faces that this one may not have."""
        if not (self._refused or self._others):
            return {}
        found = {label: self.of(faces) for label, faces in clusters.items()}
        return {
            label: {number_of[name]: theirs for name, theirs in refused.items() if name in number_of}
            for label, refused in found.items()
            if refused
        }


def evicted(
    clusters: Mapping[int, AbstractSet[str]],
    matched: Mapping[int, int],
    refused: Mapping[int, Mapping[int, AbstractSet[str]]],
) -> dict[int, AbstractSet[str]]:
    """The clusters, without the faces that may not go where their cluster goes: these are clusters of their own."""
    found = dict(clusters)
    for label, number in sorted(matched.items()):
        faces = refused.get(label, {}).get(number, set())
        if faces:
            found[label] = clusters[label] - faces
            found[max(found) + 1] = faces
    return found


def obeying(
    proposal: Proposal,
    own: Mapping[str, int],
    members: Mapping[str, Mapping[str, str]],
    elsewhere: Mapping[str, AbstractSet[str]],
) -> tuple[Proposal, Mapping[str, AbstractSet[str]], dict[int, int]]:
    """The proposal with what its rulings say and what follows from it, the members that parameters do not move, and
    clusters that are somebody's: label -> number.

    `own`: live identity that the bucket founded -> number; the others as of `resolve`.
    """
    if proposal.bindings.is_empty():
        return proposal, elsewhere, {}
    proposal = replace(proposal, bindings=completed(proposal.bindings, _faces_of(proposal, members)))
    pinned = {
        name: elsewhere.get(name, frozenset()) | (members.get(name, {}).keys() & proposal.bindings.belongs.keys())
        for name in elsewhere.keys() | members.keys()
    }
    proposal, theirs = _restated(proposal, own)
    return proposal, pinned, theirs


def without_those_who_stay(
    proposal: Proposal,
    own: Iterable[Identity],
    matched: Mapping[int, Identity],
    members: Mapping[str, Mapping[str, str]],
    elsewhere: Mapping[str, AbstractSet[str]],
) -> tuple[Proposal, Mapping[str, AbstractSet[str]]]:
    """The clusters without members of others that must not be taken from them, who are members that parameters do not
    move; in a cluster that goes to their own identity they stay.

    `matched`: cluster -> own identity. They were matched with these faces, as they would be without rulings.
    """
    live = {identity.name for identity in own if identity.live}
    said = proposal.bindings.stays.items()
    stays = {face: name for face, name in said if name in live and face in members.get(name, {})}
    taken = {
        label: {face for face in faces & stays.keys() if label not in matched or matched[label].name != stays[face]}
        for label, faces in proposal.clusters.items()
    }
    if not any(taken.values()):
        return proposal, elsewhere
    pinned = {name: set(faces) for name, faces in elsewhere.items()}
    for face in (face for faces in taken.values() for face in faces):
        pinned.setdefault(stays[face], set()).add(face)
    left = {label: faces - taken[label] for label, faces in proposal.clusters.items()}
    return replace(
        proposal, clusters={label: faces for label, faces in left.items() if faces or label in matched}
    ), pinned


def _faces_of(proposal: Proposal, members: Mapping[str, Mapping[str, str]]) -> dict[str, set[str]]:
    """Identity -> its members that are known here, and the faces that join it."""
    found = {name: set(faces) for name, faces in members.items()}
    for face, verdict in proposal.verdicts.items():
        if verdict.state in ("member", "joining") and verdict.identity is not None:
            found.setdefault(verdict.identity, set()).add(face)
    return found


def _restated(proposal: Proposal, own: Mapping[str, int]) -> tuple[Proposal, dict[int, int]]:
    """Verdicts and clusters by the rulings. A cluster that holds faces that belong to one of `own` is that one's; faces
    that belong to others go to them alone.
    """
    said = proposal.bindings
    named = {*said.ignored, *said.belongs, *said.refused} & proposal.verdicts.keys()
    verdicts = {face: _verdict(face, proposal.verdicts[face], said, own) for face in sorted(named)}
    verdicts.update(_parted(proposal.verdicts, said))
    verdicts = {face: one for face, one in verdicts.items() if one != proposal.verdicts[face]}
    clusters, theirs = dict[int, AbstractSet[str]](), dict[int, int]()
    for label, faces in proposal.clusters.items():
        kept = faces - verdicts.keys()
        number = _whose(faces & verdicts.keys() & said.belongs.keys(), said.belongs, own)
        if kept:
            clusters[label] = kept
            theirs.update({label: number} if number is not None else {})
    return replace(proposal, verdicts={**proposal.verdicts, **verdicts}, clusters=clusters), theirs


def _verdict(face: str, now: Verdict, said: Bindings, own: Mapping[str, int]) -> Verdict:
    name = said.belongs.get(face)
    if now.state == "member" or (name is not None and now.identity == name):
        return now
    if name is not None:
        return Verdict("joining" if name in own else "covered", None, None, name)
    if face in said.ignored:
        ruling = said.ignored[face]
        return Verdict("ignored", None, None, said.people.called(ruling), ruling)
    if now.identity in said.refused.get(face, ()):
        return Verdict("ruled_out", None, None, now.identity)
    return now


def _parted(verdicts: Mapping[str, Verdict], said: Bindings) -> dict[str, Verdict]:
    """Of two faces that are two people and go to one identity, the farther one."""
    found: dict[str, Verdict] = {}
    for pair in sorted(said.apart):
        both = [face for face in pair if face in verdicts and face not in found]
        going = [(verdicts[face].value or 0.0, face) for face in both if verdicts[face].state in ("joining", "covered")]
        names = {verdicts[face].identity for _, face in going}
        if len(going) == 2 and len(names) == 1:
            face = max(going)[1]
            if face not in said.belongs:
                found[face] = Verdict("ruled_out", None, None, verdicts[face].identity)
    return found


def _whose(faces: Collection[str], belongs: Mapping[str, str], own: Mapping[str, int]) -> int | None:
    """Number of the own identity that has most of the faces, the lower one of equals."""
    counts: dict[int, int] = {}
    for face in faces:
        if belongs[face] in own:
            counts[own[belongs[face]]] = counts.get(own[belongs[face]], 0) + 1
    return min(counts, key=lambda number: (-counts[number], number), default=None)

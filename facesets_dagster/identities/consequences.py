"""What follows from the bindings of a bucket for faces that no ruling names by itself. Pure.

A group is one person: what is said of one of its faces holds for all. And who is not the person whom a face belongs to
is refused to that person.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from facesets_dagster.identities.bindings import Bindings, Faces


def completed(bindings: Bindings, members: Mapping[str, AbstractSet[str]]) -> Bindings:
    """The bindings with what follows from them. `members`: identity -> its faces, those that matter here.

    Faces of a group belong to the identity that has some of them. A face apart from one that an identity has, or that
    belongs to it, is refused to that identity.
    """
    if not (bindings.together or bindings.apart):
        return bindings
    group_of = {face: group for group in bindings.together for face in group}
    owners = _owners(bindings, members, group_of)
    belongs, ignored = dict(bindings.belongs), dict(bindings.ignored)
    for group in bindings.together:
        names = {name for face in group for name in (*owners.get(face, ()), bindings.belongs.get(face)) if name}
        rulings = sorted(bindings.ignored[face] for face in group if face in bindings.ignored)
        for face in sorted(group):
            if len(names) == 1 and face not in owners:
                belongs.setdefault(face, next(iter(names)))
            elif rulings and not names:
                ignored.setdefault(face, rulings[0])
    refused = {face: set(names) for face, names in bindings.refused.items()}
    _spread(refused, bindings.together)
    for pair in bindings.apart:
        for face, other in (pair, pair[::-1]):
            whose = {
                name
                for one in group_of.get(other, {other})
                for name in (*owners.get(one, ()), belongs.get(one))
                if name is not None
            }
            for one in group_of.get(face, {face}):
                refused.setdefault(one, set()).update(whose - {*owners.get(one, ()), belongs.get(one)})
    refusals = {face: frozenset(names) for face, names in refused.items() if names}
    return replace(bindings, belongs=belongs, ignored=ignored, refused=refusals)


def members_by_name(member_of: Mapping[str, str | None]) -> dict[str, set[str]]:
    """Identity -> its faces, from face_id -> identity."""
    found: dict[str, set[str]] = {}
    for face, name in member_of.items():
        if name is not None:
            found.setdefault(name, set()).add(face)
    return found


def _owners(
    bindings: Bindings, members: Mapping[str, AbstractSet[str]], group_of: Mapping[str, Faces]
) -> dict[str, list[str]]:
    """Linked face -> identities that have it."""
    linked = {*group_of, *(face for pair in bindings.apart for face in pair)}
    linked |= {face for pair in bindings.apart for one in pair for face in group_of.get(one, ())}
    found: dict[str, list[str]] = {}
    for name in sorted(members):
        for face in members[name] & linked:
            found.setdefault(face, []).append(name)
    return found


def _spread(refused: dict[str, set[str]], together: Iterable[Faces]) -> None:
    """What one face of a group is refused, all of it are."""
    for group in together:
        names = {name for face in group for name in refused.get(face, ())}
        if names:
            refused.update((face, set(names)) for face in group)

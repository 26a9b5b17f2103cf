"""Who is a member of whom once the rulings in force are obeyed. Pure.

The base is what runs alone have made of the library. Rulings are applied to it one after the other, oldest first, and
each moves only the faces that it names and faces of the people that it names. Taking a ruling back is projecting the
same base without it, so rulings can be undone in any order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from facesets_dagster.identities.identity import Identity, by_trust
from facesets_dagster.identities.merging import MARK, Merge, Pair, Rows, is_marked
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, RulingFace, in_order

RULED = "ruled:"
"""Before the id of the ruling that put a member where it is, in `joined_by`."""

Reason = Literal["merged", "ignored", "emptied", "undone"]
"""Why rulings put an identity out of use: of its tombstone. `emptied`: they left it no face; `undone`: the split that
made it was taken back."""

OF_RULINGS: frozenset[str] = frozenset(get_args(Reason))
"""Reasons of tombstones of identities that rulings put out of use; runs bring none of them back."""

PART = "part_"
"""Before the part of a split, in the role of the members that go with its examples."""


@dataclass(frozen=True)
class Base:
    """The library as runs alone have made it."""

    identities: Mapping[str, Identity]
    """By name, all that are or were in use."""
    members: Mapping[str, Rows]
    """Of the identities that would be in use without rulings, eras included."""
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """Of people, by name."""
    made: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Ruling and part of a split -> name of the identity that it makes."""
    shown: Mapping[str, Rows] = field(default_factory=dict)
    """Of people whom rulings touch: members as the library shows them now."""

    def faces_left(self, era: str, person: str, rows: Rows) -> Rows:
        """What an era has without the faces that came to its person by rulings and are not its `rows` any more."""
        gone = self.shown.get(person, {}).keys() - rows.keys() - self.members.get(person, {}).keys()
        return {face: row for face, row in self.members[era].items() if face not in gone}


@dataclass(frozen=True)
class Out:
    """An identity of the base that rulings put out of use."""

    reason: Reason
    into: str | None = None
    """The keeper of a merged one."""


@dataclass(frozen=True)
class RuledFace:
    """A face that rulings took from everybody."""

    state: Literal["ignored", "ruled_out"]
    ruling_id: str
    identity: str | None
    """The person that it was taken from."""


@dataclass(frozen=True)
class Projection:
    """The library with the rulings in force."""

    members: Mapping[str, Rows]
    """Of the identities in use."""
    out: Mapping[str, Out]
    merges: tuple[Merge, ...]
    """In the order in which they were made; a merged one may be the keeper of others."""
    made: Mapping[str, str]
    """Name of an identity that a split made -> the one that it was part of."""
    labels: Mapping[str, str | None]
    faces: Mapping[tuple[str, str], RuledFace]
    """(bucket, face_id) -> what became of it."""
    apart: frozenset[Pair]
    """Pairs in use, in order, that are two people."""
    touched: frozenset[str]
    """Identities whose members, use or label rulings have a hand in."""

    def leads_to(self, name: str) -> str:
        """The identity that a merged one is part of; the name itself if it was not merged."""
        return leading_to(name, self.merges)


def leading_to(name: str, merges: Iterable[Merge]) -> str:
    """The end of the chain of merges that begins with a name."""
    keeper_of = {merge.merged: merge.keeper for merge in merges}
    while name in keeper_of:
        name = keeper_of[name]
    return name


def project(base: Base, rulings: Sequence[Ruling]) -> Projection:
    """The base with these rulings; one whose person or faces are not there says nothing."""
    return project_in_order(base, rulings)[0]


def project_in_order(base: Base, rulings: Sequence[Ruling]) -> tuple[Projection, tuple[Ruling, ...]]:
    """The same, and the ruling behind each of its merges."""
    work = _Work(base)
    for ruling in in_order(rulings):
        if ruling.kind in _RULES:
            _RULES[ruling.kind](work, ruling)
            work.merged_by += [ruling] * (len(work.merges) - len(work.merged_by))
    return work.finished(), tuple(work.merged_by)


def moves_faces(ruling: Ruling) -> bool:
    """Whether a ruling is of a kind that a projection looks at."""
    return ruling.kind in _RULES


def standing_for(
    faces: Sequence[RulingFace],
    named: str | None,
    owners: Callable[[str], Iterable[str]],
    known: Mapping[str, Identity],
) -> str | None:
    """The person that faces stand for: the one of that name while it has any of them, else the one with most of them,
    half or more; the name again if nobody has so many.

    `named`: None for a name that is not in use; `owners`: face_id -> people who have it; ties go by trust.
    """
    held = Counter(owner for face in faces for owner in owners(face.face_id))
    if named is not None and (named in held or not faces):
        return named
    most = sorted(held, key=lambda name: (-held[name], by_trust(known[name]) if name in known else (9, 0, name)))
    return most[0] if most and 2 * held[most[0]] >= len(faces) else named


def is_ruled(how: str) -> bool:
    """Whether a ruling put a member where it is; runs leave it there."""
    return is_marked(how) or how.startswith(RULED)


class _Work:
    """The library while rulings are applied to it."""

    def __init__(self, base: Base) -> None:
        self.base = base
        of_splits = set(base.made.values())
        self.rows = {
            name: rows for name, rows in base.members.items() if name not in of_splits and not self._is_era(name)
        }
        self.labels = dict(base.labels)
        self.merges: list[Merge] = []
        self.merged_by: list[Ruling] = []
        self.out: dict[str, Out] = {}
        self.made: dict[str, str] = {}
        self.taken: dict[tuple[str, str], RuledFace] = {}
        self.told_apart: list[Ruling] = []
        self.touched: set[str] = set()

    @cached_property
    def _owners(self) -> dict[str, set[str]]:
        """face_id -> people who have it; made when a ruling asks for it first."""
        owners: dict[str, set[str]] = {}
        for name, rows in self.rows.items():
            for face_id in rows:
                owners.setdefault(face_id, set()).add(name)
        return owners

    def owners(self, face_id: str) -> list[str]:
        """People who have a face; several have it through copies of its photo."""
        return sorted(self._owners.get(face_id, ()))

    def whose(self, ruling: Ruling, role: str) -> str | None:
        """The person that stands in a role: by its name while it has any of the faces that stood for it, else by most
        of these; None if nobody has them.
        """
        named = leading_to(ruling.names[role], self.merges) if role in ruling.names else None
        in_use = named if named in self.rows else None
        return standing_for(ruling.of_role(role), in_use, self.owners, self.base.identities)

    def put(self, name: str, rows: Rows) -> None:
        """Gives somebody these members."""
        owners = self._owners
        for face_id in self.rows.get(name, {}).keys() - rows.keys():
            owners[face_id].discard(name)
        for face_id in rows:
            owners.setdefault(face_id, set()).add(name)
        self.rows[name] = dict(sorted(rows.items()))
        self.touched.add(name)

    def take(self, face: RulingFace, name: str) -> str | None:
        """Takes a face from somebody; the bucket through which it was a member."""
        rows = dict(self.rows[name])
        bucket, _ = rows.pop(face.face_id)
        self.put(name, rows)
        return bucket

    def close(self, name: str, out: Out) -> None:
        """Puts somebody out of use."""
        self.put(name, {})
        del self.rows[name]
        self.out[name] = out

    def finished(self) -> Projection:
        """With the eras of everybody, and without those of whom nothing is left."""
        for name in sorted(self.rows):
            if name in self.touched and not self.rows[name]:
                self.close(name, Out("emptied"))
        for name in sorted({*self.base.made.values()} - self.rows.keys() - self.out.keys()):
            self.out[name] = Out("undone")
        members = {**self.rows, **self._eras()}
        faces = {place: one for place, one in sorted(self.taken.items()) if not self._owners.get(place[1])}
        made = {name: source for name, source in self.made.items() if name in members}
        return Projection(
            members, self.out, tuple(self.merges), made, self.labels, faces, self.apart(), frozenset(self.touched)
        )

    def apart(self) -> frozenset[Pair]:
        """Pairs of people that rulings tell apart, as they stand at the end."""
        pairs = set()
        for ruling in self.told_apart:
            first, second = self.whose(ruling, "a"), self.whose(ruling, "b")
            if first is not None and second is not None and first != second:
                pairs.add((min(first, second), max(first, second)))
        return frozenset(pairs)

    def _eras(self) -> dict[str, Rows]:
        """An era loses what its person loses, and goes out of use with its person or its last face."""
        found: dict[str, Rows] = {}
        for name, before in self.base.members.items():
            if not self._is_era(name):
                continue
            person = self.base.identities[name].parent or ""
            if person in self.touched:
                self.touched.add(name)
            if person in self.out:
                self.out[name] = self.out[person]
                continue
            left = self.base.faces_left(name, person, self.rows.get(person, {}))
            lost = self.base.members.get(person, {}).keys() - self.rows.get(person, {}).keys()
            found[name] = {face: row for face, row in left.items() if face not in lost}
            if before and not found[name]:
                del found[name]
                self.out[name] = Out("emptied")
        return found

    def _is_era(self, name: str) -> bool:
        identity = self.base.identities.get(name)
        return identity is not None and identity.is_era


def _name(work: _Work, ruling: Ruling) -> None:
    """The name of a part of a split goes with the split: it is not that of the whole."""
    person, named = work.whose(ruling, STANDS_FOR), leading_to(ruling.identity or "", work.merges)
    is_unmade = named in work.base.made.values() and named not in work.rows
    if person is not None and not is_unmade:
        work.labels[person] = ruling.text("text") or None
        work.touched.add(person)


def _same(work: _Work, ruling: Ruling) -> None:
    """Two people become one; faces that are nobody's come to the person on the other side."""
    first, second = work.whose(ruling, "a"), work.whose(ruling, "b")
    if first is None or second is None:
        for person, free in ((first, "b"), (second, "a")):
            if person is not None and free not in ruling.names:
                _give(work, ruling, ruling.of_role(free), person)
        return
    if first == second:
        return
    merged, keeper = (second, first) if ruling.text("keeper") == "a" else (first, second)
    own, brought = work.rows[keeper], work.rows[merged]
    marked = {face: (bucket, how if is_ruled(how) else MARK + merged) for face, (bucket, how) in brought.items()}
    work.close(merged, Out("merged", keeper))
    work.put(keeper, {**marked, **own})
    work.merges.append(Merge(merged, keeper))
    if not work.labels.get(keeper):
        work.labels[keeper] = work.labels.get(merged)


def _different(work: _Work, ruling: Ruling) -> None:
    work.told_apart.append(ruling)


def _marked(work: _Work, ruling: Ruling) -> None:
    """Members stay; the folders of their people say something else."""
    for face in ruling.of_role("face"):
        work.touched.update(work.owners(face.face_id))


def _not_person(work: _Work, ruling: Ruling) -> None:
    person = work.whose(ruling, STANDS_FOR)
    for face in ruling.of_role("face"):
        if person is not None and person in work.owners(face.face_id):
            bucket = work.take(face, person)
            work.taken[bucket or face.bucket, face.face_id] = RuledFace("ruled_out", ruling.ruling_id, person)


def _assign(work: _Work, ruling: Ruling) -> None:
    person = work.whose(ruling, STANDS_FOR)
    if person is not None:
        _give(work, ruling, ruling.of_role("face"), person)


def _give(work: _Work, ruling: Ruling, faces: Iterable[RulingFace], person: str) -> None:
    """These faces are this person's, whoever had them."""
    rows = dict(work.rows[person])
    for face in faces:
        if person in work.owners(face.face_id):
            bucket, _ = rows[face.face_id]
        else:
            bucket = face.bucket
        for owner in work.owners(face.face_id):
            if owner != person:
                bucket = work.take(face, owner) or bucket
        rows[face.face_id] = (bucket, RULED + ruling.ruling_id)
    work.put(person, rows)


def _split(work: _Work, ruling: Ruling) -> None:
    """Each part but the first leaves with its examples and the members that were divided to it."""
    source = work.whose(ruling, "a")
    for part in ruling.parts()[1:]:
        name = work.base.made.get((ruling.ruling_id, part))
        if source is None or name is None:
            continue
        rows = dict(work.base.members.get(name, {}))
        for face in ruling.of_role(part, PART + part):
            if source in work.owners(face.face_id):
                rows[face.face_id] = (work.take(face, source) or face.bucket, RULED + ruling.ruling_id)
        work.put(name, rows)
        work.made[name] = source


def _ignore(work: _Work, ruling: Ruling) -> None:
    """Everything of a person, or only the faces that are named."""
    person = work.whose(ruling, STANDS_FOR) if STANDS_FOR in ruling.names else None
    if person is not None:
        for face_id, (bucket, _) in work.rows[person].items():
            work.taken[bucket, face_id] = RuledFace("ignored", ruling.ruling_id, person)
        work.close(person, Out("ignored"))
    for face in ruling.of_role("face"):
        owners = work.owners(face.face_id)
        work.taken[face.bucket, face.face_id] = RuledFace("ignored", ruling.ruling_id, owners[0] if owners else None)
        for owner in owners:
            bucket = work.take(face, owner) or face.bucket
            work.taken[bucket, face.face_id] = RuledFace("ignored", ruling.ruling_id, owner)


_RULES = {
    "name": _name,
    "same": _same,
    "different": _different,
    "not_person": _not_person,
    "assign": _assign,
    "split": _split,
    "ignore": _ignore,
    "not_a_face": _ignore,
    "feature": _marked,
    "allow_together": _marked,
}
"""Kinds that change who is whose member, or a name; the others speak of exports and runs."""

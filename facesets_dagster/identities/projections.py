"""Projections of one base for one set of rulings after another: only whom a changed ruling touches is made anew. Pure.

Rulings that share a person, or a face that nobody has, depend on each other; all others do not. So the rulings fall
into parts, each with its people. A part is projected by itself and kept as long as its rulings are the same; people of
no part are as the base has them. The result is that of `project`, whatever was written or taken back, in any order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from facesets_dagster.identities.merging import Rows
from facesets_dagster.identities.projection import Base, Projection, moves_faces, project, project_in_order
from facesets_dagster.identities.rulings import Ruling, in_order

Made = Mapping[tuple[str, str], str]
"""Ruling and part of a split -> name of the identity that it makes."""
_FREE = "face "
"""Before a face that nobody has, where people are meant by their names: no name holds a space."""


@dataclass(frozen=True)
class Owners:
    """Who has a face."""

    before: Mapping[str, tuple[str, ...]]
    """In the base."""
    moved: Mapping[str, tuple[str, ...]]
    """Of faces of the people whom rulings touch."""

    def __contains__(self, face_id: object) -> bool:
        return bool(self.moved.get(str(face_id), self.before.get(str(face_id), ())))


@dataclass(frozen=True)
class _Part:
    """Rulings that depend on each other, and what they make of their people."""

    rulings: tuple[Ruling, ...]
    made: Made
    names: frozenset[str]
    """People, their eras, and identities that splits make or made."""
    projection: Projection
    merged_by: tuple[Ruling, ...]

    def holds(self, rulings: Sequence[Ruling], made: Made, names: frozenset[str]) -> bool:
        """Whether it is of these very records."""
        same = len(rulings) == len(self.rulings) and all(map(_is, rulings, self.rulings))
        return same and made == self.made and names == self.names


@dataclass(frozen=True)
class Projected:
    """A projection, and what it was put together from."""

    projection: Projection
    owners: Owners
    parts: Mapping[str, _Part]

    def changed_since(self, before: "Projected") -> frozenset[str]:
        """Names whose members, use or label may be other ones than in another projection of the same base."""
        pairs = ((self.parts, before.parts), (before.parts, self.parts))
        return frozenset(
            name
            for these, others in pairs
            for first, part in these.items()
            if others.get(first) is not part
            for name in part.names
        )


class Projections:
    """Of one base."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self._plain = project(base, ())
        self._before: dict[str, tuple[str, ...]] = {}
        """face_id -> people who have it, and unmade parts of splits that would."""
        self._eras: dict[str, list[str]] = {}
        for name, rows in base.members.items():
            identity = base.identities.get(name)
            if identity is not None and identity.is_era:
                self._eras.setdefault(identity.parent or "", []).append(name)
                continue
            for face_id in rows:
                self._before[face_id] = (*self._before.get(face_id, ()), name)
        self._sharing = {names for names in self._before.values() if len(names) > 1}
        self._nodes: dict[str, tuple[Ruling, frozenset[str]]] = {}
        self._parts: dict[str, _Part] = {}
        """By the id of the first ruling."""

    def of(self, rulings: Sequence[Ruling], made: Made) -> Projected:
        """As `project` with these rulings and names of parts of splits gives it."""
        self._parts = {part.rulings[0].ruling_id: part for part in self._parts_of(rulings, made)}
        parts = self._parts.values()
        return Projected(self._together(parts), self._owners(parts), self._parts)

    def _parts_of(self, rulings: Sequence[Ruling], made: Made) -> Iterator[_Part]:
        """The parts of these rulings, those that are the same taken over."""
        groups = _Groups()
        for sharing in self._sharing:
            groups.join(sharing)
        moving = [ruling for ruling in in_order(rulings) if moves_faces(ruling)]
        for ruling in moving:
            groups.join(self._nodes_of(ruling, made))
        found: dict[str, list[Ruling]] = {}
        for ruling in moving:
            nodes = self._nodes_of(ruling, made)
            found.setdefault(groups.first(next(iter(nodes))) if nodes else "", []).append(ruling)
        nodes_of = groups.members()
        by_name: dict[str, dict[tuple[str, str], str]] = {}
        for place, name in made.items():
            by_name.setdefault(name, {})[place] = name
        for group, some in found.items():
            names = frozenset(self._with_eras(one for one in nodes_of.get(group, ()) if not one.startswith(_FREE)))
            of_splits = {place: one for name in names for place, one in by_name.get(name, {}).items()}
            known = self._parts.get(some[0].ruling_id)
            is_same = known is not None and known.holds(some, of_splits, names)
            yield known if known is not None and is_same else self._part(tuple(some), of_splits, names)

    def _nodes_of(self, ruling: Ruling, made: Made) -> frozenset[str]:
        """Everybody whom it can touch, and faces that nobody has."""
        known = self._nodes.get(ruling.ruling_id)
        if known is None or known[0] is not ruling:
            nodes = set(ruling.names.values())
            for face in ruling.faces:
                nodes.update(self._before.get(face.face_id) or (_FREE + face.face_id,))
            known = self._nodes[ruling.ruling_id] = ruling, frozenset(nodes)
        if ruling.kind != "split":
            return known[1]
        parts = [made.get((ruling.ruling_id, part)) for part in ruling.parts()[1:]]
        return known[1].union(name for name in parts if name is not None)

    def _with_eras(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            yield name
            yield from self._eras.get(name, ())

    def _part(self, rulings: tuple[Ruling, ...], made: Made, names: frozenset[str]) -> _Part:
        base = self.base
        mine = replace(
            base,
            members={name: base.members[name] for name in sorted(names) if name in base.members},
            labels={name: base.labels[name] for name in names if name in base.labels},
            made=made,
        )
        projection, merged_by = project_in_order(mine, rulings)
        return _Part(rulings, made, names, projection, merged_by)

    def _together(self, parts: Iterable[_Part]) -> Projection:
        plain = self._plain
        members, out, labels = dict(plain.members), dict(plain.out), dict(plain.labels)
        for part in parts:
            for name in part.names:
                members.pop(name, None)
                out.pop(name, None)
            members.update(part.projection.members)
            out.update(part.projection.out)
            labels.update(part.projection.labels)
        merges = [
            (ruling, merge)
            for part in parts
            for ruling, merge in zip(part.merged_by, part.projection.merges, strict=True)
        ]
        order = {ruling.ruling_id: place for place, ruling in enumerate(in_order([ruling for ruling, _ in merges]))}
        faces = {place: face for part in parts for place, face in part.projection.faces.items()}
        return Projection(
            members,
            out,
            tuple(merge for _, merge in sorted(merges, key=lambda one: order[one[0].ruling_id])),
            {name: source for part in parts for name, source in part.projection.made.items()},
            labels,
            dict(sorted(faces.items())),
            frozenset(pair for part in parts for pair in part.projection.apart),
            plain.touched.union(*(part.projection.touched for part in parts)),
        )

    def _owners(self, parts: Iterable[_Part]) -> Owners:
        moved: dict[str, tuple[str, ...]] = {}
        for part in parts:
            for rows in _rows_of_people(self.base, part.names):
                moved.update((face_id, ()) for face_id in rows if face_id not in moved)
            for name, rows in part.projection.members.items():
                identity = self.base.identities.get(name)
                if identity is None or not identity.is_era:
                    moved.update((face_id, (*moved.get(face_id, ()), name)) for face_id in rows)
        return Owners(self._before, moved)


class _Groups:
    """Nodes that belong together."""

    def __init__(self) -> None:
        self._into: dict[str, str] = {}

    def first(self, node: str) -> str:
        """The node that stands for the group of a node."""
        into = self._into
        end = node
        while (after := into.setdefault(end, end)) != end:
            end = after
        while node != end:
            into[node], node = end, into[node]
        return end

    def join(self, nodes: Iterable[str]) -> None:
        """They are one group."""
        ends = {self.first(node) for node in nodes}
        if ends:
            end = min(ends)
            self._into.update(dict.fromkeys(ends, end))

    def members(self) -> dict[str, list[str]]:
        """The nodes of each group."""
        found: dict[str, list[str]] = {}
        for node in self._into:
            found.setdefault(self.first(node), []).append(node)
        return found


def _rows_of_people(base: Base, names: Iterable[str]) -> Iterator[Rows]:
    for name in names:
        yield base.members.get(name, {})


def _is(one: object, other: object) -> bool:
    return one is other

"""What follows from rulings together: who must be one person, who must not, and where a new ruling contradicts. Pure.

People and faces are nodes. "One person" is an edge of a graph, and everybody who is connected is one person; "two
people" is a pair of nodes that must never be connected. The rulings in force are always consistent: one that
contradicts is found here before it is written, with the chain of rulings that it contradicts.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from facesets_dagster.identities.rulings import Ruling

Node = tuple[str, str]
"""`person` and its name, `face` and its face_id, or `part` and ruling and part of a split."""


@dataclass(frozen=True)
class Link:
    """What one ruling says of two nodes."""

    first: Node
    second: Node
    ruling: Ruling


@dataclass(frozen=True)
class Contradiction:
    """Two nodes that are one person by a chain of rulings, and two people by another ruling."""

    chain: tuple[Link, ...]
    """Each link continues the one before."""
    apart: Link

    def rulings(self) -> tuple[Ruling, ...]:
        """All that are part of it, each once."""
        found = {link.ruling.ruling_id: link.ruling for link in (*self.chain, self.apart)}
        return tuple(found.values())


Made = Mapping[tuple[str, str], str]
"""Ruling and part of a split -> name of the identity that it made."""


def one_person(ruling: Ruling, made: Made | None = None) -> list[Link]:
    """The nodes that a ruling says are one person."""
    if ruling.kind == "same":
        return _chained(ruling, _side(ruling, "a") + _side(ruling, "b"))
    if ruling.kind == "assign":
        return _chained(ruling, [("person", ruling.identity or ""), *_faces(ruling, "face")])
    if ruling.kind != "split":
        return []
    first, *others = ruling.parts()
    links = _chained(ruling, [("person", ruling.names.get(first, ruling.identity or "")), *_faces(ruling, first)])
    for part in others:
        name = (made or {}).get((ruling.ruling_id, part))
        known: list[Node] = [("person", name)] if name is not None else []
        links += _chained(ruling, [_part(ruling, part), *known, *_faces(ruling, part)])
    return links


def two_people(ruling: Ruling) -> list[Link]:
    """The pairs of nodes that a ruling says are two people."""
    if ruling.kind == "different":
        firsts, seconds = _side(ruling, "a"), _side(ruling, "b")
        return [Link(first, second, ruling) for first in firsts for second in seconds]
    if ruling.kind == "not_person":
        person = ("person", ruling.identity or "")
        return [Link(face, person, ruling) for face in _faces(ruling, "face")]
    if ruling.kind != "split":
        return []
    first, *others = ruling.parts()
    nodes: list[Node] = [("person", ruling.names.get(first, ruling.identity or ""))]
    nodes += [_part(ruling, part) for part in others]
    return [Link(one, other, ruling) for place, one in enumerate(nodes) for other in nodes[place + 1 :]]


def contradiction(rulings: Sequence[Ruling], made: Made | None = None) -> Contradiction | None:
    """The first contradiction among rulings; None if they are consistent."""
    together = Together([link for ruling in rulings for link in one_person(ruling, made)])
    for ruling in rulings:
        for apart in two_people(ruling):
            if together.are_one(apart.first, apart.second):
                return Contradiction(together.chain(apart.first, apart.second), apart)
    return None


class Together:
    """Nodes that are one person, as connected components."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links: dict[Node, list[Link]] = {}
        for link in links:
            self._links.setdefault(link.first, []).append(link)
            self._links.setdefault(link.second, []).append(Link(link.second, link.first, link.ruling))
        self._component: dict[Node, int] = {}
        for node in self._links:
            if node not in self._component:
                number = len(self._component)
                self._component.update(dict.fromkeys(self._reached(node), number))

    def are_one(self, first: Node, second: Node) -> bool:
        """Whether two nodes are one person."""
        component = self._component.get(first)
        return first == second or (component is not None and component == self._component.get(second))

    def groups(self) -> list[set[Node]]:
        """Nodes that are one person, two or more each."""
        found: dict[int, set[Node]] = {}
        for node, number in self._component.items():
            found.setdefault(number, set()).add(node)
        return list(found.values())

    def chain(self, first: Node, second: Node) -> tuple[Link, ...]:
        """The shortest chain of links from one node to the other."""
        came: dict[Node, Link | None] = {first: None}
        waiting = deque([first])
        while waiting and second not in came:
            for link in self._links.get(waiting.popleft(), ()):
                if link.second not in came:
                    came[link.second] = link
                    waiting.append(link.second)
        found: list[Link] = []
        last = came.get(second)
        while last is not None:
            found.append(last)
            last = came[last.first]
        return tuple(reversed(found))

    def _reached(self, start: Node) -> set[Node]:
        seen, waiting = {start}, [start]
        while waiting:
            for link in self._links[waiting.pop()]:
                if link.second not in seen:
                    seen.add(link.second)
                    waiting.append(link.second)
        return seen


def _side(ruling: Ruling, role: str) -> list[Node]:
    """The person of a side of a pair; its faces where it is nobody's name."""
    if role in ruling.names:
        return [("person", ruling.names[role])]
    return _faces(ruling, role)


def _faces(ruling: Ruling, role: str) -> list[Node]:
    return [("face", face.face_id) for face in ruling.of_role(role)]


def _part(ruling: Ruling, part: str) -> Node:
    return "part", f"{ruling.ruling_id}:{part}"


def _chained(ruling: Ruling, nodes: Sequence[Node]) -> list[Link]:
    return [Link(first, second, ruling) for first, second in pairwise(nodes)]

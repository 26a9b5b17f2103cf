"""What the rulings in force say of the faces of one bucket, by face_id. Pure.

Coverage, clustering and matching obey it. A bucket of which no ruling speaks has `NO_BINDINGS`, with which everything
is as if there were no rulings.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.links import NO_LINKS, RowLinks, as_pairs

Faces = frozenset[str]


@dataclass(frozen=True)
class IgnoredPeople:
    """Strangers who are ignored for ever."""

    rulings: tuple[str, ...]
    """(k,): ids of the rulings, one each."""
    exemplars: NDArray[np.float32]
    """(n, dim), unit length: faces that stand for them."""
    whose: NDArray[np.int64]
    """(n,): row of `rulings`."""
    reach: NDArray[np.float64]
    """(k,): cosine distance up to which a face is theirs."""
    names: tuple[str | None, ...] = ()
    """(k,): what the person was called last; None for a face that was nobody's. Empty: nobody had a name."""

    def called(self, ruling: str | None) -> str | None:
        """What the person whom a ruling ignores was called last."""
        return dict(zip(self.rulings, self.names, strict=False)).get(ruling or "")

    @classmethod
    def nobody(cls) -> "IgnoredPeople":
        """Nobody is ignored."""
        return cls((), np.zeros((0, 1), np.float32), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Bindings:
    """Faces that are not in the bucket are left out."""

    together: tuple[Faces, ...] = ()
    """Disjoint groups of two or more faces, each of one person."""
    apart: frozenset[tuple[str, str]] = frozenset()
    """Pairs of faces, in order, that are two people. No pair is inside a group of `together`."""
    refused: Mapping[str, Faces] = field(default_factory=dict)
    """face_id -> names of live identities that it does not belong to."""
    belongs: Mapping[str, str] = field(default_factory=dict)
    """face_id -> live identity whose it is, by a ruling; it is a member already, or becomes one by the next one."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """face_id -> id of the ruling that ignores this very face."""
    people: IgnoredPeople = field(default_factory=IgnoredPeople.nobody)
    """All who are ignored, in whichever bucket."""
    stays: Mapping[str, str] = field(default_factory=dict)
    """face_id -> live identity that has it, where a ruling says that it is one person with others. Such a face is
    clustered as any other, but nobody else gets it: that is no matter of the tables, so `is_empty` and `digest` do
    not go by it.
    """

    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return not (self.together or self.apart or self.refused or self.belongs or self.ignored or self.people.rulings)

    def of_named_faces(self) -> "Bindings":
        """What rulings say of faces that they name, without the reach of people who are ignored."""
        return replace(self, people=IgnoredPeople.nobody()) if self.people.rulings else self

    def links(self, face_ids: Sequence[str]) -> RowLinks:
        """The links among these faces, as rows of them."""
        if not self.together and not self.apart:
            return NO_LINKS
        row_of = {face: row for row, face in enumerate(face_ids)}
        groups = [sorted(row_of[face] for face in group if face in row_of) for group in self.together]
        pairs = [(row_of[a], row_of[b]) for a, b in sorted(self.apart) if a in row_of and b in row_of]
        return RowLinks(
            tuple(np.array(group, np.int64) for group in groups if len(group) > 1),
            as_pairs(pairs),
        )

    def digest(self) -> str | None:
        """Equal digests say the same; None if nothing is said."""
        if self.is_empty():
            return None
        said = [
            sorted(sorted(group) for group in self.together),
            sorted(self.apart),
            sorted((face, sorted(names)) for face, names in self.refused.items()),
            sorted(self.belongs.items()),
            sorted(self.ignored.items()),
            [list(self.people.rulings), self.people.reach.tolist()],
        ]
        return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


NO_BINDINGS = Bindings()


def united(several: Iterable[Bindings]) -> Bindings:
    """What is said of the faces of several buckets; a face that is in two of them is one face."""
    said = [one for one in several if not one.is_empty()]
    if len(said) < 2:
        return said[0] if said else NO_BINDINGS
    groups: list[set[str]] = []
    for group in (group for one in said for group in one.together):
        meeting = [other for other in groups if other & group]
        groups = [other for other in groups if not other & group] + [set(group).union(*meeting)]
    refused: dict[str, Faces] = {}
    for face, names in (entry for one in said for entry in one.refused.items()):
        refused[face] = refused.get(face, frozenset()) | names
    return Bindings(
        tuple(frozenset(group) for group in sorted(groups, key=sorted)),
        frozenset().union(*(one.apart for one in said)),
        refused,
        {face: name for one in said for face, name in one.belongs.items()},
        {face: ruling for one in said for face, ruling in one.ignored.items()},
        said[0].people,
    )

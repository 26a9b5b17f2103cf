"""What the rulings in force say of the faces of one bucket, by face_id. Pure.

Coverage, clustering and matching obey it. A bucket of which no ruling speaks has `NO_BINDINGS`, with which everything
is as if there were no rulings.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

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

    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return not (self.together or self.apart or self.refused or self.belongs or self.ignored or self.people.rulings)

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

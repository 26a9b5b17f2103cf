"""An identity as the rules see it."""

from dataclasses import dataclass
from operator import is_

import numpy as np
from numpy.typing import NDArray

TRUST = ("hand_sorted", "auto", "discovered")
"""Kinds, the most trusted first: what a person asserted stands above what was clustered."""

ERA_KINDS = ("era", "thin_era")
"""Periods of another identity's life."""


@dataclass(frozen=True)
class Identity:
    """A person of the library: a live faceset, or a retired one that may come back."""

    identity_id: int
    name: str
    number: int
    kind: str
    """`auto`, `hand_sorted`, `discovered`, `era`, or `thin_era`: an era with too few faces to cover others."""
    parent: str | None
    """Of an era: the name of the identity that it splits."""
    bucket: str | None
    """The bucket that founded it; None if no bucket did."""
    label: str | None
    live: bool
    founded: int
    """Library generation at which it was founded; lower is older."""
    model_id: str | None
    centroid: NDArray[np.float32] | None
    """(dim,), unit length, of its curated members; None if it is not known (an adopted legacy faceset)."""

    @property
    def is_era(self) -> bool:
        """A period of another identity's life: copies of its faces, no people of their own."""
        return self.kind in ERA_KINDS

    @property
    def family(self) -> str:
        """A parent and its eras are one when ambiguity is judged."""
        return self.parent or self.name


_STACKED: list[tuple[list[NDArray[np.float32]], NDArray[np.float32]]] = []
"""The last two stacks: all rules of a run hold faces against the same people."""


def stacked(centroids: list[NDArray[np.float32]], dim: int) -> NDArray[np.float32]:
    """Centroids as rows (n, dim), to be read only: the same array for the same centroids."""
    for known, rows in _STACKED:
        if len(known) == len(centroids) and all(map(is_, known, centroids)):
            return rows
    rows = np.array(centroids, np.float32).reshape(len(centroids), dim)
    _STACKED[:] = [*_STACKED[-1:], (centroids, rows)]
    return rows


def by_trust(identity: Identity) -> tuple[int, int, str]:
    """Sort key: the most trusted first, then the lower number (999 before 1000), then the name."""
    trust = TRUST.index(identity.kind) if identity.kind in TRUST else len(TRUST)
    return trust, identity.number, identity.name

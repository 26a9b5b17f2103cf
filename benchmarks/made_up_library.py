"""Facesets that nobody ever had: as many as in the legacy library, with its duplicates and its chain of look-alikes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import normalised

FACESETS, DUPLICATES, CHAIN, DIM = 311, 74, 60, 512


@dataclass(frozen=True)
class MadeUpLibrary:
    """Facesets that nobody ever had."""

    faces: list[NDArray[np.float32]]
    """Of each faceset, unit rows (n, dim)."""
    person: list[int]
    chain: frozenset[int]
    """Facesets of the chain."""

    @classmethod
    def drawn(cls, seed: int, alike: tuple[float, float]) -> "MadeUpLibrary":
        """`alike`: cosines between the true directions of two facesets of one person, over the years or the cameras.

        Faces lie about their direction as measured ones do: average distance inside a faceset 0.39. In the chain the
        next person's direction has a cosine of 0.50 to 0.66 with the last one's, so that their centroids are linked.
        """
        rng = np.random.default_rng(seed)
        singles = FACESETS - CHAIN - DUPLICATES
        centres = [normalised(rng.normal(size=DIM)) for _ in range(singles)]
        person = list(range(singles))
        for who in range(DUPLICATES):
            centres.append(_beside(centres[who], rng.uniform(*alike), rng))
            person.append(who)
        for step in range(CHAIN):
            new = _beside(centres[-1], rng.uniform(0.50, 0.66), rng) if step else normalised(rng.normal(size=DIM))
            centres.append(new)
            person.append(singles + step)
        order = rng.permutation(FACESETS)
        faces = [_faces(centres[index], int(rng.integers(6, 40)), rng) for index in order]
        chain = frozenset(int(place) for place in np.flatnonzero(order >= FACESETS - CHAIN))
        return cls(faces, [person[index] for index in order], chain)


def _beside(centre: NDArray[np.float32], cosine: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A unit vector (dim,) at this cosine to another one, in a direction of its own."""
    drawn = rng.normal(size=DIM)
    across = normalised(drawn - (drawn @ centre) * centre)
    return normalised(cosine * centre + np.sqrt(1 - cosine**2) * across)


def _faces(centre: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    spread = 0.8 * np.exp(rng.normal(0, 0.35, (count, 1)))  # some photos are good, some hardly the person
    return normalised(centre + spread * rng.normal(size=(count, DIM)) / np.sqrt(DIM))

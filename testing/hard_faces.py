"""A hard set of faces of any size, the same on every call: what clustering is measured on.

Power-law sizes of identities; faces of one person 0.3 to 0.5 apart in cosine distance; look-alikes; blurred faces,
which resemble each other more than their people and chain them together; near-duplicates; faces that are nobody's.
"""

import numpy as np
from numpy.typing import NDArray

_LARGEST = 600
_EXPONENT = 1.1
_ALIKE, _BLURRED, _COPIES, _NOBODY = 0.3, 0.05, 0.08, 0.08
"""Shares: of identities that resemble another, and of faces."""
_MIRRORS = 0.1
_BLURS = 12
"""Ways to be blurred: directions that such faces share."""
_BLOCK = 50_000


def hard_faces(count: int, dim: int = 512, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit rows (count, dim) and their identities (count,), -1 for nobody, in an order of no meaning."""
    numbers = np.random.default_rng(seed)
    people = _identities(numbers, count)
    centres = _centres(numbers, int(people.max(initial=0)) + 1, dim)
    blurs = _unit(numbers.standard_normal((_BLURS, dim), np.float32))
    faces = np.empty((count, dim), np.float32)
    for top in range(0, count, _BLOCK):
        who = people[top : top + _BLOCK]
        faces[top : top + len(who)] = _looks(numbers, who, centres, blurs)
    _copy_some(numbers, faces, people)
    return faces, people


def photo_pairs(people: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Pairs (m, 2) of faces that share a photo: four faces each, a third of all faces.

    One photo in ten shows four faces of one person of the set: mirrors, posters, siblings, which look alike and must
    be kept apart all the same.
    """
    numbers = np.random.default_rng(seed)
    chosen = numbers.permutation(len(people))[: len(people) // 3]
    order = chosen[np.argsort(people[chosen], kind="stable")]
    order = order[: len(order) // 4 * 4].reshape(-1, 4)
    alike = numbers.random(len(order)) < _MIRRORS
    mixed = numbers.permutation(order[~alike].ravel()).reshape(-1, 4)
    first, second = np.triu_indices(4, k=1)
    photos = np.concatenate([order[alike], mixed])
    return np.stack([photos[:, first].ravel(), photos[:, second].ravel()], axis=1)


def _identities(numbers: np.random.Generator, count: int) -> NDArray[np.int64]:
    somebody = count - int(_NOBODY * count)
    sizes = np.minimum(numbers.pareto(_EXPONENT, somebody) + 1, _LARGEST).astype(np.int64)
    people = np.repeat(np.arange(len(sizes)), sizes)[:somebody]
    return numbers.permutation(np.concatenate([people, np.full(count - somebody, -1)]))


def _centres(numbers: np.random.Generator, people: int, dim: int) -> NDArray[np.float32]:
    centres = _unit(numbers.standard_normal((people, dim), np.float32))
    alike = np.flatnonzero(numbers.random(people) < _ALIKE)
    like = numbers.integers(0, people, len(alike))
    share = numbers.uniform(0.3, 0.6, (len(alike), 1)).astype(np.float32)
    centres[alike] = _unit(share * centres[like] + np.sqrt(1 - share**2) * centres[alike])
    return centres


def _looks(
    numbers: np.random.Generator, who: NDArray[np.int64], centres: NDArray[np.float32], blurs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Faces of these people: their centre, something of a blur, something of their own."""
    own = _unit(numbers.standard_normal((len(who), centres.shape[1]), np.float32))
    person = numbers.uniform(0.5, 0.72, (len(who), 1)).astype(np.float32)
    blurred = (numbers.random((len(who), 1)) < _BLURRED).astype(np.float32)
    blur = blurred * numbers.uniform(0.3, 0.5, (len(who), 1)).astype(np.float32)
    person = np.where(who[:, None] < 0, 0.0, np.where(blurred > 0, 0.35, person)).astype(np.float32)
    way = blurs[numbers.integers(0, len(blurs), len(who))]
    rest = np.sqrt(np.maximum(1 - person - blur, 0))
    return _unit(np.sqrt(person) * centres[who] + np.sqrt(blur) * way + rest * own)


def _copy_some(numbers: np.random.Generator, faces: NDArray[np.float32], people: NDArray[np.int64]) -> None:
    """Makes some faces near-duplicates of another face of their person, at a distance of about 0.02."""
    order = np.argsort(people, kind="stable")
    chosen = np.flatnonzero((people[order[1:]] == people[order[:-1]]) & (numbers.random(len(order) - 1) < _COPIES))
    noise = _unit(numbers.standard_normal((len(chosen), faces.shape[1]), np.float32))
    faces[order[chosen + 1]] = _unit(faces[order[chosen]] + np.float32(0.2) * noise)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

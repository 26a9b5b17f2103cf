"""Blocked pairs against the whole matrix, stars without chains, components."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facesets_dagster.identities import pairs
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.pairs import components, have_partner, near_pairs, stars


def people(count: int, faces: int, *, seed: int, spread: float = 0.13) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    centres = normalised(rng.normal(size=(count, 48)))
    return normalised(np.repeat(centres, faces, axis=0) + spread * rng.normal(size=(count * faces, 48)))


def at(*degrees: float) -> NDArray[np.float32]:
    """Unit vectors in a plane."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def always(rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.ones(len(rows), bool)


def test_blocks_give_every_pair_once_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = people(12, 5, seed=1)
    monkeypatch.setattr(pairs, "_ROWS", 7)
    monkeypatch.setattr(pairs, "_COLUMNS", 11)
    found = [(int(a), int(b)) for rows, others, _ in near_pairs(unit, 0.5) for a, b in zip(rows, others, strict=True)]
    wanted = np.argwhere(np.triu(unit @ unit.T >= 0.5, k=1))
    assert found == [tuple(pair) for pair in wanted.tolist()]


def test_a_partner_in_the_same_photo_does_not_count() -> None:
    assert have_partner(at(0, 1, 90, 91), 0.95, np.array([0, 0, 1, 2])).tolist() == [False, False, True, True]


def test_stars_do_not_chain_look_alikes() -> None:
    """0, 15, 30, 45 degrees: each is near to the next only."""
    assert stars(at(0, 15, 30, 45), np.cos(np.deg2rad(16)), always) == [(0, [1]), (2, [3])]
    assert stars(at(15, 0, 30, 45), np.cos(np.deg2rad(16)), always) == [(0, [1, 2])]


def test_a_star_takes_only_what_agrees_with_its_best_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_ROWS", 2)
    found = stars(at(0, 1, 2, 3, 4), 0.9, lambda rows, others: (rows + others) % 2 == 0)
    assert found == [(0, [2, 4]), (1, [3])]


def test_components_are_those_of_the_whole_graph() -> None:
    assert components(at(0, 20, 40, 180, 200, 300), 1 - np.cos(np.deg2rad(21))).tolist() == [0, 0, 0, 3, 3, 5]

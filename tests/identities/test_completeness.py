"""What faces say of how settled their mean is, against generated people whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesets_dagster.identities.completeness import (
    CompletenessRules,
    completeness,
    expected_movement,
    faces_needed,
    learning_curve,
    noise_of,
)

RULES = CompletenessRules(tolerance=0.01, thin_distance=0.1, min_faces=4)
DIM = 128


def person(seed: int, faces: int, noise: float, *, directions: int = DIM) -> tuple[NDArray, NDArray]:
    """Faces (n, dim) of length about 20 around a true mean (dim,), which comes second.

    `noise`: variance over all directions in squared lengths of the mean; it lies in so many directions.
    """
    rng = np.random.default_rng(seed)
    true = rng.normal(size=DIM)
    true /= np.linalg.norm(true)
    basis, _ = np.linalg.qr(np.column_stack([true, rng.normal(size=(DIM, min(directions, DIM - 1)))]))
    across = basis[:, 1:]
    particular = rng.normal(size=(faces, across.shape[1])) * math.sqrt(noise / across.shape[1])
    return 20 * (true + particular @ across.T), 20 * true


def cosine_distance(first: NDArray, second: NDArray) -> float:
    return float(1 - first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_200_similar_faces_are_complete() -> None:
    found = completeness(person(0, 200, 0.6)[0], RULES)
    assert (found.verdict, found.more.value, found.in_words()) == ("complete", 0, "complete")
    assert found.movement.value < 0.002


def test_three_faces_are_too_thin_however_alike_they_are() -> None:
    found = completeness(person(0, 3, 0.01)[0], RULES)
    assert (found.verdict, found.in_words()) == ("too_thin", "too thin to trust")
    assert "3 exported" in found.reason


def test_a_mean_that_more_photos_would_throw_about_is_too_thin() -> None:
    found = completeness(person(1, 5, 4.0)[0], RULES)
    assert found.verdict == "too_thin"
    assert "above 0.1" in found.reason


def test_in_between_the_number_of_photos_is_told() -> None:
    found = completeness(person(2, 12, 0.6)[0], RULES)
    assert found.verdict == "would_gain"
    needed = 0.6 / (0.99**-2 - 1)  # 30 faces by the truth, 12 are there
    assert found.more.value == pytest.approx(needed - 12, abs=0.25 * needed)
    assert found.in_words() == f"would gain from {found.more.value:.0f} more"
    assert found.more.low < found.more.value < found.more.high


@pytest.mark.parametrize(("faces", "noise"), [(5, 0.3), (10, 0.6), (40, 0.6), (40, 3.0), (150, 1.0)])
def test_the_estimate_is_within_a_factor_of_one_and_a_half_of_the_truth(faces: int, noise: float) -> None:
    """On average over people, and for nine in ten within a factor of 2."""
    ratios = []
    for seed in range(60):
        embeddings, true = person(seed, faces, noise)
        moved = cosine_distance(embeddings.mean(axis=0), true)
        ratios.append(completeness(embeddings, RULES).movement.value / moved)
    assert 1 / 1.5 < float(np.median(ratios)) < 1.5
    assert np.mean([0.5 < ratio < 2 for ratio in ratios]) >= 0.9


@pytest.mark.parametrize(("noise", "directions"), [(0.6, DIM), (0.6, 10), (0.2, 3)])
def test_the_truth_lies_in_the_range_of_most_people(noise: float, directions: int) -> None:
    inside = []
    for seed in range(100):
        found = noise_of(person(seed, 20, noise, directions=directions)[0])
        inside.append(found.low <= noise <= found.high)
    assert np.mean(inside) >= 0.8


def test_adding_the_faces_that_are_asked_for_brings_the_movement_to_the_tolerance() -> None:
    first, _ = person(3, 10, 0.6)
    more = int(completeness(first, RULES).more.value)
    moved = []
    for seed in range(40):
        everybody, true = person(seed, 10 + more, 0.6)
        moved.append(cosine_distance(everybody.mean(axis=0), true))
    assert 0.005 < float(np.mean(moved)) < 0.015


def test_the_expectation_is_what_random_orders_show() -> None:
    embeddings, _ = person(4, 30, 0.8)
    rng = np.random.default_rng(0)
    curves = np.array([learning_curve(rng.permutation(embeddings)) for _ in range(300)])
    noise = noise_of(embeddings).value
    for faces in (2, 5, 10, 20):
        expected = expected_movement(noise, faces, 30 - faces)
        assert float(curves[:, faces - 1].mean()) == pytest.approx(expected, rel=0.08)


def test_leaving_one_out_is_computed_as_if_it_were_done_one_by_one() -> None:
    embeddings, _ = person(5, 9, 0.5)
    one_by_one = np.array([noise_of(np.delete(embeddings, place, axis=0)).value for place in range(9)])
    error = math.sqrt(8 / 9 * ((one_by_one - one_by_one.mean()) ** 2).sum())
    found = noise_of(embeddings)
    assert found.high == pytest.approx(found.value + 2 * error)
    assert found.low == pytest.approx(max(found.value - 2 * error, 0))


def test_the_curve_ends_at_zero_and_follows_the_given_order() -> None:
    curve = learning_curve(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    assert curve == pytest.approx([1 - 2 / math.sqrt(5), 1 - 3 / math.sqrt(10), 0])


@settings(deadline=None)
@given(faces=st.integers(1, 12), scale=st.floats(0.01, 100), seed=st.integers(0, 1000))
def test_nothing_depends_on_the_length_of_the_embeddings_or_breaks_on_few(faces: int, scale: float, seed: int) -> None:
    embeddings, _ = person(seed, faces, 0.5)
    found, scaled = completeness(embeddings, RULES), completeness(embeddings * scale, RULES)
    assert found.verdict == scaled.verdict
    assert found.movement.value == pytest.approx(scaled.movement.value, abs=1e-9)
    assert found.movement.low <= found.movement.value <= found.movement.high
    assert len(found.curve) == faces


def test_one_face_promises_nothing() -> None:
    found = completeness(np.ones((1, 4)), RULES)
    assert (found.verdict, found.movement.value, found.more.value) == ("too_thin", 1.0, math.inf)
    assert completeness(np.ones((1, 4)), CompletenessRules(0.01, 0.1, 1)).verdict == "too_thin"


def test_equal_faces_are_settled_and_opposite_ones_are_not() -> None:
    assert completeness(np.ones((6, 4)), RULES).verdict == "complete"
    assert completeness(np.array([[1.0, 0], [-1, 0], [1, 0], [-1, 0]]), RULES).verdict == "too_thin"


def test_more_faces_are_needed_for_less_tolerance() -> None:
    assert faces_needed(0.6, 0.01) == 30
    assert faces_needed(0.6, 0.001) > 9 * faces_needed(0.6, 0.01)
    assert faces_needed(0.0, 0.01) == 1

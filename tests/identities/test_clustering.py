"""The partition is scikit-learn's; labels do not depend on the order of the faces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from facesets_dagster.identities.clustering import average_linkage, by_size
from facesets_dagster.identities.geometry import centroid, cosine_distance, nearest, normalised


def people(seed: int, count: int, dim: int = 32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(count // 8, 1), dim))
    return centres[rng.integers(0, len(centres), count)] + 0.6 * rng.normal(size=(count, dim))


@given(seed=st.integers(0, 10_000), count=st.integers(2, 120), threshold=st.floats(0.1, 1.2))
@settings(max_examples=60, deadline=None)
def test_the_partition_is_that_of_scikit_learn(seed: int, count: int, threshold: float) -> None:
    rows = people(seed, count)
    model = AgglomerativeClustering(n_clusters=None, metric="cosine", linkage="average", distance_threshold=threshold)
    expected = model.fit_predict(rows)
    assert adjusted_rand_score(expected, average_linkage(rows, threshold)) == pytest.approx(1.0)


@given(seed=st.integers(0, 10_000), count=st.integers(2, 80))
@settings(max_examples=30, deadline=None)
def test_the_same_faces_in_another_order_give_the_same_groups(seed: int, count: int) -> None:
    rows = people(seed, count)
    order = np.random.default_rng(seed).permutation(count)
    labels, shuffled = average_linkage(rows, 0.5), average_linkage(rows[order], 0.5)
    assert adjusted_rand_score(labels[order], shuffled) == pytest.approx(1.0)


def test_labels_count_down_by_size_and_ties_go_to_the_first_face() -> None:
    assert by_size(np.array([7, 3, 3, 9, 9, 9, 1])).tolist() == [2, 1, 1, 0, 0, 0, 3]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_face_need_no_linkage(count: int) -> None:
    assert average_linkage(np.ones((count, 4)), 0.5).tolist() == [0] * count


def test_a_centroid_is_the_unit_mean_of_unit_rows() -> None:
    rows = np.array([[10.0, 0.0], [0.0, 0.1]])
    assert centroid(rows) == pytest.approx(np.array([2**-0.5, 2**-0.5]))


def test_distances_run_from_zero_to_two() -> None:
    unit = normalised(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0]]))
    assert cosine_distance(unit[:1], unit).tolist() == [[0.0, 2.0, 1.0]]


def test_nearest_without_a_choice_is_nobody() -> None:
    unit = normalised(np.array([[1.0, 0.0]]))
    index, distance = nearest(unit, unit, np.array([[False]]))
    assert index.tolist() == [-1]
    assert np.isinf(distance).all()

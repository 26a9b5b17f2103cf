"""The second stage of clustering: pieces of one person join, by size and quality."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.joining import Joined, JoinRule, People, join_pieces
from facesets_dagster.identities.small_faces import join_last

RULE = JoinRule(two_faces=0.3, face_and_group=0.4, two_groups=0.2, quality_gain=0.5)


def at(*angles: float) -> NDArray[np.float32]:
    """Unit rows in the plane at these angles, degrees: cos-dist of two is 1 - cos of their difference."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians), np.zeros(len(angles))], axis=1).astype(np.float32)


def distance(degrees: float) -> float:
    return 1 - float(np.cos(np.radians(degrees)))


def join(
    unit: NDArray[np.float32], labels: list[int], quality: list[float] | None = None, people: People | None = None
) -> Joined:
    return join_pieces(unit, np.array(quality or [1.0] * len(unit)), np.array(labels, np.int64), RULE, people)


@pytest.mark.parametrize(
    ("unit", "labels", "most"),
    [
        (at(0, 44), [0, 1], 0.3),
        (at(0, 0, 52), [0, 0, 1], 0.4),
        (at(0, 0, 44, 44), [0, 0, 1, 1], 0.3),  # halfway to a single face
        (at(*[0] * 4, *[36] * 4), [0] * 4 + [1] * 4, 0.2),
    ],
)
def test_the_limit_goes_by_the_sizes_of_the_pieces(unit: NDArray[np.float32], labels: list[int], most: float) -> None:
    joined = join(unit, labels)
    assert set(joined.labels) == {0}
    (far,) = {round(found.distance, 6) for found in joined.joins.values()}
    (limit,) = {found.threshold for found in joined.joins.values()}
    assert far <= limit == pytest.approx(most)
    wider = at(*(np.degrees(np.arctan2(unit[:, 1], unit[:, 0])) * 1.04).tolist())
    assert set(join(wider, labels).labels) == {0, 1}


def test_a_join_is_on_record_for_the_faces_of_the_smaller_piece() -> None:
    joined = join(at(0, 0, 0, 50), [0, 0, 0, 1])
    (row, found), *others = joined.joins.items()
    assert (row, others) == (3, [])
    assert (found.faces, found.others, found.threshold) == (1, 3, 0.4)
    assert found.distance == pytest.approx(distance(50), abs=1e-6)


def test_low_quality_is_made_up_for_in_small_pieces_and_not_between_groups() -> None:
    assert set(join(at(0, 50), [0, 1]).labels) == {0, 1}
    assert set(join(at(0, 50), [0, 1], quality=[1.0, 0.85]).labels) == {0}
    groups = at(*[0] * 4, *[38] * 4)
    assert set(join(groups, [0] * 4 + [1] * 4, quality=[0.8] * 8).labels) == {0, 1}


def test_a_chain_of_faces_does_not_bring_two_groups_together() -> None:
    """Single linkage would: every step is short."""
    unit = at(*[0] * 6, *[80] * 6, 30, 50)
    labels = join(unit, [0] * 6 + [1] * 6 + [2, 3]).labels
    assert labels[0] != labels[6]


def test_people_who_are_there_take_faces_in_and_stay_apart() -> None:
    people = People(np.array([at(0)[0] * 5, at(20)[0] * 5]), np.array([5, 5]), np.array([1.0, 1.0]))
    joined = join(at(-40, 62, 180), [0, 1, 2], people=people)
    assert joined.person.tolist() == [0, 1, -1]
    assert joined.labels.tolist() == [-1, -1, 0]
    assert joined.joins.keys() == {0, 1}
    near_both = join(at(10), [0], people=people)
    assert near_both.person.tolist() in ([0], [1])


def test_small_faces_join_the_nearest_group_and_bridge_nothing() -> None:
    unit, linked = at(0, 0, 90, 90, 45, 200, 30), np.array([True] * 4 + [False] * 3)
    first = join(unit[:4], [0, 0, 1, 1])
    joined = join_last(first, linked, unit, People.nobody(3), most=0.2)
    assert joined.labels[:4].tolist() == [0, 0, 1, 1] == [*joined.labels[[0, 1]], *joined.labels[[2, 3]]]
    assert joined.labels[6] == joined.labels[0]
    assert len({joined.labels[4], joined.labels[5], joined.labels[0], joined.labels[2]}) == 4
    assert joined.joins.keys() == {6}


def test_small_faces_join_people_who_are_there() -> None:
    people = People(np.array([at(0)[0] * 5]), np.array([5]), np.array([1.0]))
    nobody_linked = join(np.zeros((0, 3), np.float32), [])
    joined = join_last(nobody_linked, np.zeros(2, bool), at(10, 170), people, most=0.2)
    assert (joined.person.tolist(), joined.labels.tolist()) == ([0, -1], [-1, 0])


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_the_result_does_not_depend_on_the_order_of_the_faces(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    unit = normalised(rng.normal(size=(count, 8)))
    labels, quality = rng.integers(0, count, count), rng.uniform(0.7, 1.2, count)
    labels = np.unique(labels, return_inverse=True)[1]
    rule = JoinRule(0.5, 0.6, 0.4, 0.3)
    order = rng.permutation(count)
    here, there = (
        join_pieces(unit, quality, labels, rule),
        join_pieces(unit[order], quality[order], labels[order], rule),
    )
    same = here.labels[:, None] == here.labels[None]
    assert (same[np.ix_(order, order)] == (there.labels[:, None] == there.labels[None])).all()
    assert all(found.distance <= found.threshold + 1e-6 for found in here.joins.values())

"""Groups against people: by hand, and what must hold for any groups."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.identities.scores import score_groups


def scored(groups: list[int], people: list[int]):
    return score_groups(np.array(groups, np.int64), np.array(people, np.int64))


def test_scores_of_a_mixed_and_a_divided_person_by_hand() -> None:
    found = scored([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
    assert found.pair_precision == 2 / 4
    assert found.pair_recall == 2 / 4
    assert np.isclose(found.bcubed_precision, (2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert np.isclose(found.bcubed_recall, (1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)
    assert np.isclose(found.wrong_merges, 0.5)


def test_faces_that_are_not_known_count_for_nothing() -> None:
    assert scored([0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 1, -1]) == scored([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])


def test_no_group_is_a_group_of_its_own_for_each_face() -> None:
    assert scored([-1, -1, 0, 0], [0, 0, 1, 1]) == scored([1, 2, 0, 0], [0, 0, 1, 1])


def test_nothing_known_is_no_error() -> None:
    assert scored([0, 0], [-1, -1]).bcubed_f == 1


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), min_size=1, max_size=40))
def test_scores_lie_between_0_and_1_and_are_1_for_the_people_themselves(rows: list[tuple[int, int]]) -> None:
    groups, people = [row[0] for row in rows], [row[1] for row in rows]
    found = scored(groups, people)
    shares = (found.bcubed_precision, found.bcubed_recall, found.pair_precision, found.pair_recall, found.bcubed_f)
    assert all(0 <= value <= 1 for value in shares)
    assert found.wrong_merges >= 0
    assert (found.wrong_merges == 0) == (found.pair_precision == 1)
    assert scored(people, people).bcubed_f == 1
    assert scored(people, people).wrong_merges == 0

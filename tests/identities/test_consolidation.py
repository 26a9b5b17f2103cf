"""Who is proposed as one person: complete linkage, agreement of the faces, photos that show both."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facesets_dagster.identities.consolidation import (
    ConsolidationNumbers,
    NearPair,
    gain_of,
    groups_of_one,
    keeper_of,
    near_identities,
    photos_with_both,
    proposal_id,
)
from facesets_dagster.identities.geometry import centroid, normalised
from facesets_dagster.identities.identity import Identity, by_trust
from facesets_dagster.linkage import complete_linkage

NUMBERS = ConsolidationNumbers(merge_distance=0.45, member_distance=0.55, min_near_share=0.5)


def on_arc(degrees: float) -> NDArray[np.float32]:
    """A unit vector (4,) in one plane."""
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle), 0, 0], np.float32)


def compare(faces: list[NDArray[np.float32]], photos: list[dict[str, set[str]]] | None = None, **more: object):
    centroids = np.array([centroid(rows) for rows in faces], np.float32)
    numbers = more.pop("numbers", NUMBERS)
    rejected = more.pop("rejected", set())
    return near_identities(centroids, faces, photos or [{} for _ in faces], rejected, numbers)


def groups(faces: list[NDArray[np.float32]], **more: object) -> list[list[int]]:
    return groups_of_one(len(faces), compare(faces, **more), NUMBERS.merge_distance)


def test_a_chain_of_look_alikes_is_cut_where_the_ends_are_far() -> None:
    faces = [on_arc(30.0 * step)[None] for step in range(12)]  # each near to its neighbours, the ends opposite
    found = groups(faces)
    assert all(len(group) == 2 for group in found)
    assert sorted(index for group in found for index in group) == list(range(12))


def test_a_group_holds_together_only_if_every_pair_is_near() -> None:
    assert groups([on_arc(degrees)[None] for degrees in (0, 20, 40)]) == [[0, 1, 2]]
    assert groups([on_arc(degrees)[None] for degrees in (0, 30, 65)]) == [[0, 1]]


def test_the_threshold_itself_still_joins() -> None:
    distance = np.array([[0.0, 0.45], [0.45, 0.0]])
    assert len(np.unique(complete_linkage(distance, 0.45))) == 1
    assert len(np.unique(complete_linkage(distance, 0.4499))) == 2


def test_centroids_that_meet_by_accident_are_refused_by_their_faces() -> None:
    rng = np.random.default_rng(5)
    middle = np.zeros(64, np.float32)
    middle[0] = 1
    spread = [normalised(0.25 * middle + rng.normal(0, 0.125, (300, 64))) for _ in range(2)]
    tight = [normalised(middle + rng.normal(0, 0.03, (20, 64))) for _ in range(2)]
    (far,), (near,) = compare(spread), compare(tight)
    assert far.distance < 0.1
    assert (far.state, near.state) == ("far_members", "near")
    assert far.near_share < 0.5 < near.near_share
    assert far.median > NUMBERS.member_distance > near.median


def test_a_photo_that_shows_both_parts_them_and_a_copy_of_a_face_does_not() -> None:
    faces = [on_arc(0)[None], on_arc(5)[None]]
    (together,) = compare(faces, [{"p": {"p-1"}}, {"p": {"p-2"}}])
    assert (together.state, together.photos, together.shared) == ("vetoed", ("p",), 0)
    (copied,) = compare(faces, [{"p": {"p-1"}, "q": {"q-1"}}, {"p": {"p-1"}}])
    assert (copied.state, copied.photos, copied.shared) == ("near", (), 1)


def test_a_veto_inside_a_group_splits_it_for_everybody() -> None:
    faces = [on_arc(degrees)[None] for degrees in (0, 10, 20)]
    photos = [{"p": {"p-1"}}, {}, {"p": {"p-2"}}]
    assert len(groups(faces, photos=photos)) == 1
    assert len(groups(faces, photos=photos)[0]) == 2


def test_photos_with_both_lists_only_photos_in_which_each_has_a_face_of_its_own() -> None:
    first = {"p": {"1"}, "q": {"2"}, "r": {"3", "4"}}
    second = {"q": {"2"}, "r": {"4"}, "s": {"5"}, "p": {"6"}}
    assert photos_with_both(first, second) == ["p"]


def test_a_rejected_pair_is_in_no_group() -> None:
    faces = [on_arc(degrees)[None] for degrees in (0, 5)]
    assert groups(faces, rejected={(0, 1)}) == []
    assert [pair.state for pair in compare(faces, rejected={(0, 1)})] == ["rejected"]


def test_the_order_of_the_identities_does_not_change_who_is_together() -> None:
    rng = np.random.default_rng(1)
    people = normalised(rng.normal(size=(40, 128)))
    faces = [normalised(person + rng.normal(0, 0.05, (6, 128))) for person in people for _ in range(2)]
    expected = {frozenset((2 * index, 2 * index + 1)) for index in range(40)}
    order = rng.permutation(len(faces))
    found = groups([faces[index] for index in order])
    assert {frozenset(int(order[place]) for place in group) for group in found} == expected


def test_pairs_are_within_the_distance_and_all_of_those_are_found() -> None:
    rng = np.random.default_rng(2)
    unit = normalised(rng.normal(size=(60, 6)))
    found = {(pair.first, pair.second) for pair in compare([row[None] for row in unit])}
    distance = 1 - unit @ unit.T
    wanted = {(a, b) for a in range(60) for b in range(a + 1, 60) if distance[a, b] <= 0.45}
    assert found == wanted


def person(name: str, number: int, kind: str) -> Identity:
    return Identity(number, name, number, kind, None, "b", None, True, 1, "m", None)


@pytest.mark.parametrize(
    ("kinds", "stays"),
    [
        (("discovered", "hand_sorted", "auto"), 1),
        (("discovered", "auto", "auto"), 1),
        (("discovered", "discovered", "discovered"), 0),
    ],
)
def test_the_most_trusted_name_stays_then_the_lower_number(kinds: tuple[str, ...], stays: int) -> None:
    people = [person(f"faceset_{place:03d}", place, kind) for place, kind in enumerate(kinds, start=1)]
    assert keeper_of(people[::-1]) is people[stays]


def test_a_lower_number_is_not_a_smaller_text() -> None:
    people = [person("faceset_1000", 1000, "auto"), person("faceset_999", 999, "auto")]
    assert keeper_of(people).number == 999
    assert sorted(people, key=by_trust) == people[::-1]


def test_people_of_one_number_are_ordered_by_name() -> None:
    people = [person("faceset_007_b", 7, "auto"), person("faceset_007_a", 7, "auto"), person("faceset_8", 8, "auto")]
    assert [found.name for found in sorted(people, key=by_trust)] == ["faceset_007_a", "faceset_007_b", "faceset_8"]


def test_the_gain_is_what_comes_to_stand_with_the_largest() -> None:
    assert gain_of([26, 10, 4]) == 14


def test_a_proposal_is_told_by_its_names_in_any_order() -> None:
    assert proposal_id(["faceset_020", "faceset_031"]) == proposal_id(["faceset_031", "faceset_020"])
    assert proposal_id(["faceset_020", "faceset_031"]) != proposal_id(["faceset_020", "faceset_032"])


def test_pairs_that_are_not_near_connect_nobody() -> None:
    far = NearPair(0, 1, 0.1, 0.9, 0.0, 0, (), "far_members")
    assert groups_of_one(2, [far], 0.45) == []

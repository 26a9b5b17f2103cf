"""A split may leave somebody without one face that can be exported: all else is published, and nothing is stuck."""

import pytest

from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo
from testing.merges import graves, live, visible, without_stamps
from testing.rulings import decide, faces_of, obey, three_people, undo_ruling

pytestmark = pytest.mark.both_databases

NUMBERS = {"osrc_clusters": {"min_faces": 3}, "swap_ready_facesets": {"fill_to": 0, "min_face_short_px": 100}}
SMALL = 90
"""Side of a face that joins somebody and is too small for the export, px."""


def with_a_small_face(home: FakeHome) -> str:
    """Three people, and one face more of the first that is too small for the export; gives its face_id."""
    three_people(home)
    before = set(faces_of(home, "faceset_001"))
    write_photo(home.buckets / "a" / "small.png", [FakeFace(1, 0.2, size=SMALL)], seed=4)
    home.run("a", **NUMBERS)
    (face,) = set(faces_of(home, "faceset_001")) - before
    return face


def test_a_split_off_face_that_cannot_be_exported_takes_a_name_and_stops_nothing(fake_home: FakeHome) -> None:
    face = with_a_small_face(fake_home)
    first, people = without_stamps(visible(fake_home)), live(fake_home)
    mine = [one for one in faces_of(fake_home, "faceset_001") if one != face]
    split = decide(fake_home, lambda ask: ask.split("faceset_001", [dict.fromkeys(mine), {face: None}]))
    named = decide(fake_home, lambda ask: ask.name("faceset_002", "Berta"))
    obey(fake_home)
    assert live(fake_home) == people
    assert graves(fake_home)["faceset_004"] is None
    assert faces_of(fake_home, "faceset_001") == sorted(mine)
    assert fake_home.flaws() == []

    write_looks(fake_home.buckets / "a", 9, [-0.9, -0.45, 0.0])
    fake_home.run("a", **NUMBERS)
    assert set(live(fake_home)) - set(people) == {"faceset_005"}, "the number is taken"
    undo_ruling(fake_home, split, named)
    assert sorted([*mine, face]) == faces_of(fake_home, "faceset_001")
    assert {name: data for name, data in without_stamps(visible(fake_home)).items() if name in first} == first
    assert fake_home.flaws() == []

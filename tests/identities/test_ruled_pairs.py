"""What rulings say of pairs of faces, held against a distance."""

import numpy as np

from facesets_dagster.identities.ruled_pairs import judged
from facesets_dagster.identities.rulings import Ruling, RulingFace


def face(role: str, degrees: float, name: str = "") -> RulingFace:
    angle = np.radians(degrees)
    unit = np.array([np.cos(angle), np.sin(angle)], np.float16)
    return RulingFace(role, "sha", (0, 0, 9, 9), 99, 99, name or f"{role}{degrees}", "a", "m", unit)


def ruling(kind: str, *faces: RulingFace) -> Ruling:
    return Ruling("R", kind, "", "", "cli", faces=faces)


def test_sides_of_one_person_and_of_two_are_counted_by_their_nearest_faces() -> None:
    near, far = ruling("same", face("a", 0), face("a", 80), face("b", 90)), ruling("same", face("a", 0), face("b", 90))
    two = ruling("different", face("a", 0), face("b", 20))
    found = judged([near, far, two], 0.3)
    assert (found.found, len(found.together)) == (1, 2)
    assert (found.mixed, len(found.apart)) == (1, 1)
    assert "1 of 2 pairs" in found.in_words()
    assert "1 of 1 that" in found.in_words()


def test_a_face_is_not_compared_with_itself() -> None:
    own = face("face", 0, "x")
    theirs = [face("identity", 0, "x"), face("identity", 60, "y")]
    found = judged([ruling("not_person", own, *theirs), ruling("assign", own, *theirs)], 0.3)
    np.testing.assert_allclose([*found.apart, *found.together], [0.5, 0.5], atol=0.01)


def test_parts_of_a_split_are_two_people_and_faces_without_embedding_say_nothing() -> None:
    blank = RulingFace("b", "sha", (0, 0, 9, 9), 99, 99, "blank", "a", "m")
    assert len(judged([ruling("split", face("a", 0), face("b", 50), face("c", 90))], 0.3).apart) == 3
    assert judged([ruling("same", face("a", 0), blank)], 0.3).together == ()

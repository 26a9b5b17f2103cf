"""Two faces of one photo in one group: what they show, and what they do not."""

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.joining import JoinRule
from facesets_dagster.identities.same_photo import Distances, PhotoFaces, looseness


def couples(photos: int, angle: float, *, seed: int = 0) -> PhotoFaces:
    """So many photos of two people whose faces are `angle` apart, side by side; each couple stands for itself."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(photos):
        one, other = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
        rows += [one, np.cos(angle) * one + np.sin(angle) * other]
    boxes = np.tile(np.array([[0, 0, 50, 50], [100, 0, 150, 50]], np.float32), (photos, 1))
    return PhotoFaces(normalised(np.array(rows)), np.ones(2 * photos), np.repeat(np.arange(photos), 2), boxes)


def judged(faces: PhotoFaces, cut: float, apart: float = 0.3):
    distances = Distances(cut, None)
    return looseness(faces, faces.groups(distances), distances, apart)


DISTANCE_60 = 1 - float(np.cos(np.pi / 3))


def test_a_distance_that_joins_the_two_people_of_many_photos_is_too_loose_and_a_safe_one_is_named() -> None:
    found = judged(couples(20, np.pi / 3), 0.6)
    assert found.too_loose
    assert (found.photos, found.mixed) == (20, 20)
    assert found.safe["cluster_distance"] <= DISTANCE_60 < found.safe["cluster_distance"] + 0.021
    assert not judged(couples(20, np.pi / 3), found.safe["cluster_distance"]).too_loose


def test_the_distances_of_the_second_stage_are_tightened_with_it() -> None:
    faces, rule = couples(20, np.pi / 3), JoinRule(0.55, 0.5, 0.4, 0.0)
    distances = Distances(0.4, rule)
    found = looseness(faces, faces.groups(distances), distances, 0.3)
    assert found.too_loose
    assert found.safe["join_two_faces"] <= DISTANCE_60
    assert np.isclose(0.55 - found.safe["join_two_faces"], 0.4 - found.safe["cluster_distance"])


def test_a_few_photos_prove_nothing_and_good_distances_are_left_alone() -> None:
    assert not judged(couples(4, np.pi / 3), 0.6).too_loose
    assert judged(couples(20, np.pi / 2), 0.6).safe == {}


def test_one_person_twice_in_a_photo_is_no_evidence() -> None:
    assert judged(couples(20, 0.3), 0.6).photos == 0, "as near as one person's faces: a mirror or a collage"


def test_boxes_that_overlap_are_no_evidence() -> None:
    faces = couples(20, np.pi / 3)
    boxes: NDArray[np.float32] = np.tile(np.array([[0, 0, 50, 50], [5, 5, 40, 40]], np.float32), (20, 1))
    doubled = PhotoFaces(faces.unit, faces.quality, faces.photos, boxes)
    assert judged(doubled, 0.6).photos == 0

"""Who is offered to whom: groups as a whole, nobody twice on a photo, promise counted in photos."""

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings, IgnoredPeople
from facesets_dagster.identities.candidates import CandidateParameters, Offers, offer_candidates
from facesets_dagster.identities.identity import Identity

DIM = 8
PARAMETERS = CandidateParameters(
    near_distance=0.55, cluster_distance=0.55, min_face_short_px=90, min_blur=40, min_det_score=0.6, min_promise=3,
    max_per_group=50, max_faces=100,
)  # fmt: skip


def look(person: int, degrees: float) -> NDArray[np.float32]:
    """People are planes that share nothing; 60 degrees are a distance of 0.5."""
    vector, angle = np.zeros(DIM, np.float32), np.deg2rad(degrees)
    vector[2 * person], vector[2 * person + 1] = np.cos(angle), np.sin(angle)
    return vector


def face(photo: str, person: int, degrees: float, place: int = 500, **columns: object) -> dict[str, object]:
    digest = f"{photo:0>16}"
    row = {"face_id": f"{digest}-{place:04d}-0500", "sha256": digest * 4, "face_short": 100.0, "blur": 50.0,
           "det_score": 0.9, "embedding": 20 * look(person, degrees)}  # fmt: skip
    return {**row, **columns}


def identity(
    name: str, person: int, degrees: float = 0.0, kind: str = "discovered", parent: str | None = None
) -> Identity:
    return Identity(0, name, 1, kind, parent, "b", None, True, 1, "m", look(person, degrees))


def offer(
    faces: list[dict[str, object]],
    identities: list[Identity],
    photos_of: dict[str, set[str]] | None = None,
    bindings: Bindings = NO_BINDINGS,
    **changed: float,
) -> Offers:
    schema = {name: face_schema(DIM)[name] for name in face("0", 0, 0)}
    parameters = CandidateParameters(**{**vars(PARAMETERS), **changed})
    return offer_candidates(pl.DataFrame(faces, schema=schema), identities, photos_of or {}, parameters, bindings)


def folders(found: Offers) -> dict[str, list[str]]:
    return {given.folder: [face.face_id[:16].lstrip("0") for face in given.faces] for given in found.offers}


def states(found: Offers) -> dict[str, str]:
    return {face_id[:16].lstrip("0"): verdict.state for face_id, verdict in found.left_out.items()}


def test_near_faces_go_to_the_faceset_and_groups_of_promise_are_new() -> None:
    strangers = [face("d", 1, 0), face("e", 1, 5), face("f", 1, 12)]
    found = offer([face("a", 0, 60), face("b", 0, 58), *strangers, face("1", 2, 0)], [identity("faceset_007", 0)])
    assert folders(found) == {"to_faceset_007": ["b", "a"], "new_001": ["e", "d", "f"]}, "the nearest first"
    assert [round(given.distance, 2) for given in found.offers[0].faces] == [0.47, 0.5]
    assert {round(given.group_distance or 0, 2) for given in found.offers[0].faces} == {0.48}
    assert states(found) == {"1": "nobody_near"}


def test_a_group_is_judged_by_its_centroid_not_by_one_face() -> None:
    """40 degrees alone is near; the group's middle, at 70, is not."""
    group = [face("a", 0, 40), face("b", 0, 80), face("c", 0, 90)]
    assert folders(offer(group[:1], [identity("faceset_001", 0)])) == {"to_faceset_001": ["a"]}
    assert set(folders(offer(group, [identity("faceset_001", 0)]))) == {"new_001"}


def test_a_faceset_that_is_on_the_photos_already_is_not_offered_them() -> None:
    photo = f"{'a':0>16}"
    near = [identity("faceset_001", 0), identity("faceset_002", 0, 115)]
    assert folders(offer([face("a", 0, 55)], near)) == {"to_faceset_001": ["a"]}
    assert folders(offer([face("a", 0, 59)], near, {"faceset_001": {photo}}, near_distance=0.6)) == {
        "to_faceset_002": ["a"]
    }
    group = [face(name, 0, 50) for name in "abc"]
    found = offer(group, near[:1], {"faceset_001": {photo}})
    assert folders(found) == {"to_faceset_001": ["b", "c"]}
    assert states(found) == {"a": "same_photo"}


def test_of_two_faces_of_a_photo_the_nearer_is_offered() -> None:
    faces = [face("a", 0, 50, 100), face("a", 0, 52, 900)]
    found = offer(faces, [identity("faceset_001", 0)])
    assert [given.face_id[-9:] for given in found.offers[0].faces] == ["0100-0500"]
    assert [verdict.state for verdict in found.left_out.values()] == ["same_photo"]


def test_promise_counts_photos_not_faces() -> None:
    faces = [face("a", 0, 0, 100), face("a", 0, 1, 900), face("b", 0, 2)]
    found = offer(faces, [])
    assert found.offers == ()
    assert [(verdict.state, verdict.value) for verdict in found.left_out.values()] == [("nobody_near", 2.0)] * 3


def test_an_era_stands_for_its_parent_and_a_thin_one_for_nobody() -> None:
    parent = identity("faceset_001", 0, 180)
    era = identity("faceset_001_era_2010-2010", 0, 0, "era", "faceset_001")
    thin = identity("faceset_001_era_1990-1990", 0, 0, "thin_era", "faceset_001")
    assert folders(offer([face("a", 0, 50)], [parent, era])) == {"to_faceset_001": ["a"]}
    assert folders(offer([face("a", 0, 50)], [parent, thin])) == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [("face_short", 89.0), ("blur", 39.0), ("det_score", 0.59)],
    ids=["small", "blurred", "doubtful"],
)
def test_gates_leave_out_what_is_not_worth_a_look(column: str, value: float) -> None:
    found = offer([face("a", 0, 50, **{column: value})], [identity("faceset_001", 0)])
    assert found.offers == ()
    assert states(found) == {"a": f"below_gate:{column}"}


def test_a_folder_keeps_the_nearest_and_says_how_many_more_there_were() -> None:
    found = offer([face(name, 0, 50 + index) for index, name in enumerate("abcd")], [identity("faceset_001", 0)],
                  max_per_group=2)  # fmt: skip
    assert folders(found) == {"to_faceset_001": ["a", "b"]}
    assert states(found) == {"c": "over_limit", "d": "over_limit"}


def test_new_groups_are_numbered_by_photos_and_the_order_of_rows_does_not_matter() -> None:
    sizes = {"a": 3, "b": 5, "c": 3}
    faces = [face(f"{name}{index}", person, index) for person, (name, count) in enumerate(sizes.items())
             for index in range(count)]  # fmt: skip
    found = offer(faces, [])
    assert [{name[0] for name in names} for names in folders(found).values()] == [{"b"}, {"a"}, {"c"}]
    assert list(folders(found)) == ["new_001", "new_002", "new_003"]
    assert offer(faces[::-1], []) == found


def ids(faces: list[dict[str, object]]) -> list[str]:
    return [str(face["face_id"]) for face in faces]


def test_a_group_is_not_offered_to_whom_one_of_its_faces_is_refused() -> None:
    strangers = [face("a", 0, 40), face("b", 0, 42), face("c", 0, 44)]
    people = [
        identity("faceset_007", 0),
        identity("faceset_008", 0, -20),
        identity("faceset_007_era", 0, 10, "era", "faceset_007"),
    ]
    assert list(folders(offer(strangers, people))) == ["to_faceset_007"]
    refused = Bindings(refused={ids(strangers)[0]: frozenset({"faceset_007"})})
    assert list(folders(offer(strangers, people, bindings=refused, near_distance=1.0))) == ["to_faceset_008"]


def test_people_who_are_ignored_are_not_offered() -> None:
    strangers = [face("a", 1, 0), face("b", 1, 5), face("c", 1, 12), face("d", 3, 0)]
    people = IgnoredPeople(("r1",), np.array([look(1, 2)]), np.zeros(1, np.int64), np.array([0.2]), ("faceset_040",))
    found = offer(strangers, [], bindings=Bindings(people=people, ignored={ids(strangers)[3]: "r2"}))
    assert states(found) == dict.fromkeys("abcd", "ignored")
    verdicts = {face_id[15]: verdict for face_id, verdict in found.left_out.items()}
    assert (verdicts["a"].identity, verdicts["a"].ruling, verdicts["a"].threshold) == (
        "faceset_040",
        "r1",
        pytest.approx(0.2),
    )
    assert (verdicts["d"].value, verdicts["d"].ruling) == (None, "r2")
    kept = offer(strangers[:3], [identity("faceset_007", 1, 2)], bindings=Bindings(people=people))
    assert list(folders(kept)) == ["to_faceset_007"]


def test_candidates_that_are_two_people_are_two_groups() -> None:
    strangers = [
        face(photo, 1, degrees) for photo, degrees in (("a", 0), ("b", 2), ("c", 4), ("d", 6), ("e", 8), ("f", 9))
    ]
    first, *_, last = sorted(ids(strangers))
    found = offer(strangers, [], bindings=Bindings(apart=frozenset({(first, last)})), min_promise=1)
    assert len(found.offers) == 2

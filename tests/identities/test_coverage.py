"""Foreign identities cover, own ones grow, nobody is routed twice in silence."""

import numpy as np

from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity

X, Y, Z = np.eye(3, dtype=np.float32)


def identity(name: str, centroid: np.ndarray, *, bucket: str, founded: int = 1, parent: str | None = None) -> Identity:
    unit = normalised(centroid[None])[0]
    return Identity(0, name, int(name[8:11]), "discovered", parent, bucket, None, True, founded, "m", unit)


def table_for(
    rows: list[np.ndarray],
    identities: list[Identity],
    members: dict[str, str] | None = None,
    copies: dict[str, str] | None = None,
) -> list[dict]:
    ids = [f"f{i}" for i in range(len(rows))]
    coverage = cover(normalised(np.array(rows)), ids, "here", identities, members or {}, copies or {})
    return coverage_table(ids, coverage, cover_distance=0.45, generation=1, model_id="m").to_dicts()


def test_a_face_near_an_identity_of_another_bucket_is_covered() -> None:
    near, far = table_for([X + 0.1 * Y, Z], [identity("faceset_020", X, bucket="there")])
    assert (near["covered"], near["covered_by"]) == (True, "faceset_020")
    assert (far["covered"], far["covered_by"]) == (False, None)
    assert far["nearest_distance"] > 0.9


def test_an_own_identity_never_covers() -> None:
    (row,) = table_for([X], [identity("faceset_020", X, bucket="here")])
    assert not row["covered"]
    assert (row["own"], row["own_distance"]) == ("faceset_020", 0.0)


def test_the_nearer_of_own_and_foreign_decides() -> None:
    identities = [identity("faceset_020", X, bucket="here"), identity("faceset_021", X + 0.5 * Y, bucket="there")]
    mine, theirs = table_for([X, X + 0.5 * Y], identities)
    assert (mine["covered"], mine["nearest"]) == (False, "faceset_020")
    assert (theirs["covered"], theirs["nearest"]) == (True, "faceset_021")


def test_a_face_within_reach_of_two_people_is_flagged_and_goes_to_the_nearest() -> None:
    identities = [identity("faceset_020", X, bucket="there"), identity("faceset_021", Y, bucket="there")]
    (row,) = table_for([1.1 * X + Y], identities)
    assert (row["covered_by"], row["ambiguous_with"]) == ("faceset_020", "faceset_021")


def test_a_parent_and_its_era_are_no_ambiguity() -> None:
    identities = [
        identity("faceset_020", X, bucket="there"),
        identity("faceset_020_era_2010-2013", X + 0.1 * Y, bucket="there", parent="faceset_020"),
    ]
    (row,) = table_for([X], identities)
    assert row["ambiguous_with"] is None


def test_a_published_member_is_not_covered_by_an_identity_founded_later() -> None:
    identities = [
        identity("faceset_020", X, bucket="here", founded=1),
        identity("faceset_021", X + 0.01 * Y, bucket="there", founded=2),
    ]
    (row,) = table_for([X + 0.01 * Y], identities, {"f0": "faceset_020"})
    assert (row["covered"], row["member_of"], row["foreign"]) == (False, "faceset_020", None)


def test_with_an_empty_library_nobody_is_covered() -> None:
    (row,) = table_for([X], [])
    assert (row["covered"], row["nearest"], row["nearest_distance"]) == (False, None, None)


def test_a_byte_copy_of_a_member_is_covered_however_far_from_the_centroid() -> None:
    far = 0.2 * X + Y
    there = identity("faceset_001", X, bucket="there")
    other = identity("faceset_002", Y, bucket="here")
    first, second, third = table_for([far, far, X], [there, other], {"f2": "faceset_002"}, {"f0": "faceset_001"})
    assert (first["covered"], first["covered_by"]) == (True, "faceset_001")
    assert first["foreign_distance"] > 0.45
    assert (second["covered"], second["own"]) == (False, "faceset_002")
    assert (third["covered"], third["member_of"]) == (False, "faceset_002")

"""Foreign identities cover, own ones grow, nobody is routed twice in silence."""

import numpy as np
import pytest

from facesets_dagster.identities import coverage
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
    found = cover(normalised(np.array(rows)), ids, "here", identities, members or {}, copies or {})
    return coverage_table(ids, found, cover_distance=0.45, generation=1, model_id="m").to_dicts()


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


@pytest.mark.parametrize("seed", range(8))
def test_faces_in_blocks_are_covered_as_one_by_one(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = normalised(rng.normal(size=(60, 8)))
    identities = [
        identity(
            f"faceset_{number:03d}" + (f"_era_{seed}" if era else ""),
            rng.normal(size=8),
            bucket=rng.choice(["here", "there"]) if seed else "there",
            founded=int(rng.integers(1, 6)),
            parent=f"faceset_{number:03d}" if era else None,
        )
        for number in range(7)
        for era in ([0, 1] if number % 2 else [0])
    ]
    ids = [f"f{row}" for row in range(60)]
    members = {face: f"faceset_{rng.integers(0, 7):03d}" for face in ids[:20]}
    copies = {face: f"faceset_{rng.integers(0, 9):03d}" for face in ids[15:30]}
    monkeypatch.setattr(coverage, "_BLOCK_DISTANCES", 50)
    found = cover(unit, ids, "here", identities, members, copies)
    for row, face in enumerate(ids):
        away = {one.name: 1 - float(unit[row] @ one.centroid) for one in identities}
        since = next((one.founded for one in identities if one.name == members.get(face)), 99)
        families = {one.name: one.family for one in identities}
        foreign = [one.name for one in identities if one.bucket == "there" and one.founded < since]
        own = [one.name for one in identities if one.bucket == "here"]
        nearest = min(away, key=away.__getitem__)
        others = [name for name in away if families[name] != families[nearest]]
        copy = copies.get(face) if face not in members else None
        best = min(foreign, key=away.__getitem__) if foreign else None
        assert found.foreign[row] == (copy or (families[best] if best else None))
        expected = away.get(copy, np.nan) if copy else away[best] if best else np.nan
        assert found.foreign_distance[row] == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert found.own[row] == (families[min(own, key=away.__getitem__)] if own else None)
        assert found.second[row] == families[min(others, key=away.__getitem__)]
        assert found.second_distance[row] == pytest.approx(min(away[name] for name in others), abs=1e-6)

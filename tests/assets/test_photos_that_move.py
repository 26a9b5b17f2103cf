"""People sort, copy and remove photos between runs: the library stays sound, nobody is lost, and it comes to rest."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from testing.eras import OLD, YOUNG, write_dated
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_person, write_photo

LOOKS = [-0.6, -0.15, 0.3]
FEW: dict[str, Any] = {"osrc_clusters": {"min_faces": 3}}


def copy_photos(source: Path, target: Path, prefix: str = "") -> None:
    target.mkdir(exist_ok=True)
    for path in sorted(source.iterdir()):
        shutil.copy(path, target / f"{prefix}{path.name}")


def sort(home: FakeHome) -> None:
    assert home.materialize("hand_sorted_facesets").success
    assert home.flaws() == []


def whole(home: FakeHome, bucket: str) -> None:
    assert home.run(bucket, job="full_pipeline", **FEW).success
    assert home.flaws() == []


def members(home: FakeHome) -> dict[str, int]:
    return {name: len(faces) for name, faces in home.library.registry.members().items()}


def nobody_twice(home: FakeHome) -> bool:
    rows = home.library.registry.memberships()
    return rows["face_id"].n_unique() == len(rows)


def comes_to_rest(home: FakeHome, bucket: str) -> None:
    """After one run that brings everything up, runs change nothing."""
    whole(home, bucket)
    once = home.files()
    for _ in range(2):
        whole(home, bucket)
        sort(home)
    assert home.files() == once


def test_a_folder_that_loses_its_majority_or_is_removed_unpublishes_nobody(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 3)
    write_person(fake_home.people / "Bo", 2, 4)
    sort(fake_home)
    known = members(fake_home)
    write_person(fake_home.people / "Anna", 3, 4)
    write_person(fake_home.people / "Anna", 4, 4)
    shutil.rmtree(fake_home.people / "Bo")
    sort(fake_home)
    sort(fake_home)
    assert members(fake_home) == known


def test_a_folder_whose_photos_moved_into_another_becomes_a_tombstone(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 3)
    write_person(fake_home.people / "Anna2", 1, 4, first=3)
    sort(fake_home)
    copy_photos(fake_home.people / "Anna2", fake_home.people / "Anna")
    shutil.rmtree(fake_home.people / "Anna2")
    sort(fake_home)
    live = [identity.name for identity in fake_home.library.registry.identities() if identity.live]
    assert len(live) == 1
    assert len(fake_home.library.registry.members()[live[0]]) == 7


def test_a_photo_that_joined_from_a_bucket_stays_from_there_when_it_is_sorted_too(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, LOOKS)
    write_looks(fake_home.buckets / "b", 1, [0.75])
    whole(fake_home, "b")
    copy_photos(fake_home.buckets / "b", fake_home.people / "Anna", "x")
    sort(fake_home)
    assert members(fake_home) == {"faceset_001": 4}
    places = fake_home.library.registry.memberships()["bucket"].to_list()
    assert sorted(places) == ["@hand_sorted", "@hand_sorted", "@hand_sorted", "b"]
    comes_to_rest(fake_home, "b")


def test_a_copy_of_a_photo_that_joined_lands_in_the_founding_bucket(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "z", 1, LOOKS)
    fake_home.run("z", **FEW)
    write_looks(fake_home.buckets / "a", 1, [0.75])
    whole(fake_home, "a")
    copy_photos(fake_home.buckets / "a", fake_home.buckets / "z", "x")
    write_looks(fake_home.buckets / "z", 1, [0.1])
    whole(fake_home, "z")
    whole(fake_home, "a")
    assert members(fake_home) == {"faceset_001": 5}
    comes_to_rest(fake_home, "z")


def test_copies_that_a_hand_sorted_person_has_too_do_not_move_the_discovered_one(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "z", 1, LOOKS)
    fake_home.run("z", **FEW)
    copy_photos(fake_home.buckets / "z", fake_home.people / "Anna")
    (fake_home.people / "Anna" / "p01_+0.300.png").unlink()
    sort(fake_home)
    write_looks(fake_home.buckets / "y", 1, [0.75])
    whole(fake_home, "y")
    whole(fake_home, "z")
    places = fake_home.library.registry.memberships(name="faceset_001")
    assert set(places["bucket"]) <= {"z", "y"}
    comes_to_rest(fake_home, "y")


def test_a_group_photo_in_one_persons_folder_takes_nobody_from_the_other(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, LOOKS)
    write_looks(fake_home.people / "Bo", 2, LOOKS)
    both = [FakeFace(1, 0.75, x=20), FakeFace(2, 0.75, x=300)]
    write_photo(fake_home.buckets / "b" / "both.png", both, seed=5)
    whole(fake_home, "b")
    assert members(fake_home) == {"faceset_001": 4, "faceset_002": 4}
    copy_photos(fake_home.buckets / "b", fake_home.people / "Anna")
    sort(fake_home)
    assert members(fake_home) == {"faceset_001": 4, "faceset_002": 4}
    comes_to_rest(fake_home, "b")


def test_a_face_that_is_asserted_for_somebody_else_goes_there(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, LOOKS)
    write_looks(fake_home.buckets / "b", 1, [0.75])
    whole(fake_home, "b")
    copy_photos(fake_home.buckets / "b", fake_home.people / "Eve")
    sort(fake_home)
    assert members(fake_home) == {"faceset_001": 3, "faceset_002": 1}
    state = fake_home.library.registry.decisions("b").row(0, named=True)
    assert (state["state"], state["identity"]) == ("covered", "faceset_002")
    comes_to_rest(fake_home, "b")
    assert nobody_twice(fake_home)


def test_extending_from_an_older_coverage_takes_no_face_that_is_somebodys_by_now(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, LOOKS)
    write_looks(fake_home.buckets / "b", 1, [0.6, 0.75])
    fake_home.materialize("hand_sorted_facesets")
    for asset in ("face_cache", "existing_centroids", "osrc_uncovered"):
        fake_home.materialize(asset, bucket=None if asset == "existing_centroids" else "b")
    write_looks(fake_home.people / "AnnaOld", 1, [0.9])
    copy_photos(fake_home.buckets / "b", fake_home.people / "AnnaOld")
    sort(fake_home)
    fake_home.materialize("extended_facesets", bucket="b")
    assert fake_home.flaws() == []
    assert nobody_twice(fake_home)


def test_a_folder_name_that_is_used_again_for_somebody_else_is_somebody_else(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, LOOKS)
    sort(fake_home)
    old = set(fake_home.library.registry.members()["faceset_001"])
    shutil.rmtree(fake_home.people / "Anna")
    write_looks(fake_home.people / "Anna", 7, [*LOOKS, 0.75])
    sort(fake_home)
    assert set(fake_home.library.registry.members()["faceset_001"]) == old
    assert members(fake_home) == {"faceset_001": 3, "faceset_002": 4}


def test_copies_go_to_the_most_trusted_of_two_who_have_the_photo(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "z", 1, LOOKS)
    fake_home.run("z", **FEW)
    copy_photos(fake_home.buckets / "z", fake_home.people / "Anna")
    sort(fake_home)
    copy_photos(fake_home.buckets / "z", fake_home.buckets / "y")
    whole(fake_home, "y")
    decisions = fake_home.library.registry.decisions("y")
    assert decisions.select("state", "identity").unique().rows() == [("covered", "faceset_002")]
    assert fake_home.library.registry.identities()[1].kind == "hand_sorted"


def test_a_refined_library_with_eras_is_recognised_and_a_lost_manifest_comes_back(fake_home: FakeHome) -> None:
    write_dated(fake_home.buckets / "a", [*YOUNG, *OLD])
    write_person(fake_home.buckets / "a", 2, 6)
    fake_home.materialize("face_cache", bucket="a")
    config = {"min_faces": 3}
    fake_home.materialize("refined_library", refined_library=config)
    fake_home.materialize("era_facesets", era_facesets={"split": ["faceset_001"], "min_era_faces": 2})
    manifest = fake_home.settings.library_dir / "manifest.json"
    once, listed = fake_home.files(), json.loads(manifest.read_text())["facesets"]
    manifest.unlink()
    result = fake_home.materialize("refined_library", refined_library=config)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    again = json.loads(manifest.read_text())["facesets"]
    assert sorted(again, key=str) == sorted(listed, key=str)
    assert {**fake_home.files(), "manifest.json": b""} == {**once, "manifest.json": b""}
    assert fake_home.flaws() == []


def test_the_states_of_a_bucket_stay_whole_when_a_member_leaves(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, LOOKS)
    write_looks(fake_home.buckets / "b", 1, [0.75, 0.1])
    whole(fake_home, "b")
    before = len(fake_home.library.registry.decisions("b"))
    copy_photos(fake_home.buckets / "b", fake_home.people / "Eve")
    sort(fake_home)
    decisions = fake_home.library.registry.decisions("b")
    assert len(decisions) == before
    assert decisions.filter(pl.col("state") == "exported").is_empty()

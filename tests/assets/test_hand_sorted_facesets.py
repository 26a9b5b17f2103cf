"""Hand-sorted folders: each asserts one identity, other people in the photos are not taken, nothing is guessed."""

import json

import polars as pl
import pytest

from facesets_dagster.photos.bucket_key import HAND_SORTED
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_person, write_photo


def entry(home: FakeHome, name: str) -> dict:
    home.materialize("top_manifest")
    manifest = json.loads((home.settings.library_dir / "manifest.json").read_text())
    return next(entry for entry in manifest["facesets"] if entry["name"] == name)


def test_every_folder_becomes_an_identity_named_like_it(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 9)
    write_person(fake_home.people / "Bo & Co" / "2010", 2, 5)
    assert fake_home.materialize("hand_sorted_facesets").success
    anna, bo = entry(fake_home, "faceset_001"), entry(fake_home, "faceset_002")
    assert (anna["label"], anna["kind"], anna["bucket"]) == ("Anna", "hand_sorted", HAND_SORTED)
    assert bo["label"] == "Bo & Co"
    assert len(fake_home.library.registry.decisions(HAND_SORTED)) == 14
    assert fake_home.flaws() == []


def test_other_people_in_the_photos_are_not_taken(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 6)
    for index in range(3):
        faces = [FakeFace(1, 0.2 * index, x=20), FakeFace(5, 0.0, x=300)]
        write_photo(fake_home.people / "Anna" / f"with{index}.png", faces, seed=index)
    fake_home.materialize("hand_sorted_facesets")
    decisions = fake_home.library.registry.decisions(HAND_SORTED)
    others = decisions.filter(pl.col("state") == "outlier")
    assert len(others) == 3
    assert others["value"].min() > others["threshold"].max()
    assert len(fake_home.library.registry.members()["faceset_001"]) == len(decisions) - 3


def test_a_photo_that_lies_in_two_folders_gives_each_person_their_face(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 5)
    write_person(fake_home.people / "Bo", 2, 5)
    both = [FakeFace(1, 0.0, x=20), FakeFace(2, 0.0, x=300)]
    for folder in ("Anna", "Bo"):
        write_photo(fake_home.people / folder / "both.png", both)
    fake_home.materialize("hand_sorted_facesets")
    assert [len(faces) for faces in fake_home.library.registry.members().values()] == [6, 6]


def test_a_folder_without_a_photo_is_listed(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 5)
    (fake_home.people / "Bo").mkdir()
    (fake_home.people / "Cy" / "2010").mkdir(parents=True)
    (fake_home.people / "Cy" / "2010" / "notes.txt").write_text("no photo")
    (fake_home.people / ".hidden").mkdir()
    result = fake_home.materialize("hand_sorted_facesets")
    found = result.asset_materializations_for_node("hand_sorted_facesets")[0].metadata
    assert found["folders_without_photos"].value == ["Bo", "Cy"]
    assert found["folders"].value == 3
    assert "| Bo | none | 0 | 0 | 0 |" in str(found["people"].value)
    (page,) = (fake_home.settings.reports_dir / HAND_SORTED).glob("*.html")
    assert "2 folders hold no photo." in page.read_text()
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True] * 3


def test_a_folder_without_a_majority_is_reported_and_not_guessed(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Mixed", 1, 3)
    write_person(fake_home.people / "Mixed", 2, 3)
    result = fake_home.materialize("hand_sorted_facesets")
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not checks["one_person_per_folder"].passed
    assert checks["one_person_per_folder"].metadata["folders"].value == ["Mixed"]
    assert fake_home.library.registry.identities() == []
    decisions = fake_home.library.registry.decisions(HAND_SORTED)
    assert decisions["state"].unique().to_list() == ["below_gate:majority"]
    assert decisions["value"].to_list() == [0.5] * 6


def test_faces_of_mixed_buckets_are_routed_to_hand_sorted_people(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 8)
    write_person(fake_home.buckets / "b", 1, 6, first=8)
    write_person(fake_home.buckets / "b", 4, 7)
    assert fake_home.run("b", job="full_pipeline").success
    places = fake_home.library.registry.memberships()
    assert set(places.filter(pl.col("name") == "faceset_001")["bucket"]) == {HAND_SORTED, "b"}
    assert entry(fake_home, "faceset_002")["kind"] == "discovered"
    once = fake_home.files()
    fake_home.run("b", job="full_pipeline")
    assert fake_home.files() == once
    assert fake_home.flaws() == []


def test_a_folder_that_was_renamed_or_got_photos_keeps_its_number(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 6)
    write_person(fake_home.people / "Bo", 2, 8)
    fake_home.materialize("hand_sorted_facesets")
    names = {identity.label: identity.name for identity in fake_home.library.registry.identities()}
    (fake_home.people / "Anna").rename(fake_home.people / "Zoe")
    write_person(fake_home.people / "Zoe", 1, 6, first=6)
    fake_home.materialize("hand_sorted_facesets")
    assert len(fake_home.library.registry.identities()) == 2
    assert len(fake_home.library.registry.members()[names["Anna"]]) >= 10
    assert fake_home.flaws() == []


def test_a_person_who_is_known_already_is_pointed_out(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    write_person(fake_home.people / "Anna", 1, 6, first=8)
    result = fake_home.materialize("hand_sorted_facesets")
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not checks["one_identity_per_person"].passed
    assert "faceset_001" in str(checks["one_identity_per_person"].metadata["pairs"].value)
    assert fake_home.flaws() == []


def test_without_the_setting_the_asset_does_nothing(fake_home: FakeHome) -> None:

    fake_home.settings = fake_home.settings.model_copy(update={"hand_sorted_root": None})
    assert fake_home.materialize("hand_sorted_facesets").success
    assert fake_home.files() == {}


def test_a_root_that_is_not_mounted_is_an_error_and_changes_nothing(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 1, 6)
    fake_home.materialize("hand_sorted_facesets")
    once = fake_home.files()
    fake_home.people.rename(fake_home.people.with_name("gone"))
    with pytest.raises(Exception, match="FACESETS_HAND_SORTED"):
        fake_home.materialize("hand_sorted_facesets")
    assert fake_home.files() == once

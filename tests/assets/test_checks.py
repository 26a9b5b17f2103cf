"""Checks that fail when they should, and block what comes after them."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from facesets_dagster.library.moves import finish_moves
from facesets_dagster.publishing import publisher as publishing
from testing.fake_home import FakeHome
from testing.fakes import write_person


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def test_a_sound_run_passes_every_check(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    result = fake_home.run("a")
    names = {check.check_name for check in result.get_asset_check_evaluations()}
    assert names >= {
        "files_readable", "embeddings_can_be_normalised", "no_number_twice", "identities_look_different",
        "every_face_has_one_state", "others_untouched", "one_face_per_png",
    }  # fmt: skip
    assert failed_checks(result) == set()


def test_a_faceset_that_was_touched_without_being_declared_stops_the_run(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "b", 2, 8)
    fake_home.run("a")
    folder = fake_home.settings.library_dir / "faceset_001"

    def meddling(*arguments: Any) -> None:
        finish_moves(*arguments)
        if (fake_home.settings.library_dir / "faceset_002").exists():
            shutil.copytree(folder, folder.with_name(".copy"))
            shutil.rmtree(folder)
            folder.with_name(".copy").rename(folder)

    monkeypatch.setattr(publishing, "finish_moves", meddling)
    result = fake_home.run("b", raise_on_error=False)
    assert not result.success
    assert failed_checks(result) == {"others_untouched"}
    assert "top_manifest" not in materialized(result)


def test_a_byte_that_changed_in_a_faceset_is_found_by_the_verification(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    assert fake_home.flaws() == []
    stray = fake_home.settings.library_dir / "faceset_001" / "faces" / "0001.png"
    stray.write_bytes(stray.read_bytes() + b"x")
    assert any("0001.png" in flaw.where for flaw in fake_home.flaws())


def test_a_picture_without_a_face_stops_the_run(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    write_person(fake_home.buckets / "a", 1, 8)

    def blanking(*arguments: Any) -> None:
        finish_moves(*arguments)
        for path in Path(fake_home.settings.library_dir).glob("faceset_*/faces/0002.png"):
            path.write_bytes(b"no picture")

    monkeypatch.setattr(publishing, "finish_moves", blanking)
    result = fake_home.run("a", raise_on_error=False)
    assert failed_checks(result) == {"one_face_per_png"}
    assert "top_manifest" not in materialized(result)


def test_many_unusable_photos_warn_and_stop_nothing(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    for number in range(3):
        (fake_home.buckets / "a" / f"broken {number}.jpg").write_bytes(b"\xff\xd8\xff no")
    result = fake_home.run("a")
    assert result.success
    assert failed_checks(result) == {"files_readable"}
    (check,) = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "broken 1.jpg" in str(check.metadata["failed"].value)
    assert fake_home.run("a", face_cache={"max_failed_share": 0.5}).success


def test_a_warning_stays_until_the_bucket_that_warns_is_well(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "good", 1, 2)
    write_person(fake_home.buckets / "bad", 2, 2)
    (fake_home.buckets / "bad" / "broken.jpg").write_bytes(b"no photo")

    def readable(bucket: str) -> dg.AssetCheckEvaluation:
        result = fake_home.materialize("face_cache", bucket=bucket)
        (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "files_readable"]
        return check

    assert readable("good").passed
    assert not readable("bad").passed
    again = readable("good")
    assert not again.passed
    assert again.metadata["this_bucket"].value == "passed"
    assert again.metadata["buckets_that_warn"].value == ["bad: 1 of 3 photos could not be used"]
    assert again.description == "bad: 1 of 3 photos could not be used"
    (fake_home.buckets / "bad" / "broken.jpg").unlink()
    assert readable("bad").passed
    assert readable("good").passed


def test_numbers_of_an_unchanged_bucket_are_the_same_on_every_run(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 7)
    fake_home.run("a")
    write_person(fake_home.buckets / "b", 1, 3, first=8)
    write_person(fake_home.buckets / "b", 3, 8)

    def plotted() -> dict[str, dict[str, float]]:
        found = {}
        for event in fake_home.run("b").get_asset_materialization_events():
            metadata = event.step_materialization_data.materialization.metadata
            numbers = {
                key: one.value
                for key, one in metadata.items()
                if isinstance(one, dg.IntMetadataValue | dg.FloatMetadataValue)
            }
            found[event.asset_key.to_user_string()] = numbers
        return found

    first, second, third = plotted(), plotted(), plotted()
    assert second == third
    steady = {
        "covered",
        "faces",
        "candidate_clusters",
        "known_people",
        "faces_of_known_people",
        "exported",
        "facesets_live",
    }
    for asset, numbers in first.items():
        for key in steady & numbers.keys():
            assert numbers[key] == second[asset][key], f"{asset}: {key}"
    assert first["osrc_clusters"]["candidate_clusters"] == 1
    assert first["osrc_uncovered"]["covered"] == 3

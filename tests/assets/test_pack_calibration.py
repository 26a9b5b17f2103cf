"""A pack's numbers measured through Dagster, over drawn people, and what the runs after it use."""

import json
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.analysis.pack_calibration import LEAST_PEOPLE, label_faces
from facesets_dagster.embedding.home_numbers import read_home_numbers
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.errors import SettingsError
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeEmbedderResource, FakeFace, write_person, write_photo


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    """A fake home whose embedder keeps the home's numbers, as the real one does."""
    fake_home.embedder = FakeEmbedderResource(calibration=str(fake_home.settings.calibration_file))
    return fake_home


def people_in(folder: Path, count: int = 14, photos: int = 6) -> Path:
    """A folder with a sub-folder for each of so many drawn people."""
    for person in range(count):
        write_person(folder / f"Person {person:02d}", person, photos)
    return folder


def calibrate(home: FakeHome, **config: object) -> dict[str, dg.MetadataValue]:
    result = home.materialize("pack_calibration", pack_calibration=config)
    return dict(result.asset_materializations_for_node("pack_calibration")[0].metadata)


def test_labelled_folders_give_numbers_with_evidence_and_later_runs_use_them(home: FakeHome, tmp_path: Path) -> None:
    metadata = calibrate(home, folder=str(people_in(tmp_path / "labelled")))
    kept = read_home_numbers(home.settings.calibration_file)
    assert kept is not None
    assert (kept.model_id, kept.model_pack) == (PACK.model_id, PACK.name)
    assert kept.data["people"] == 14
    assert kept.data["photos"] == 14 * 6
    assert len(str(kept.data["digest"])) == 64
    assert len(kept.evidence["other_half"]) == 2  # type: ignore[arg-type]
    assert set(kept.evidence["curves"]) >= {"cluster_distance", "join_two_groups"}  # type: ignore[call-overload]
    assert "cluster_distance" in metadata["numbers"].value
    report = next((home.settings.reports_dir / "@library").glob("*.pack_calibration.html")).read_text()
    assert "other half" in report or "other, whose" in report
    write_person(home.buckets / "b", 3, 8)
    home.run("b")
    used = home.library.registry.bucket_run("b").identity_parameters
    assert used["cluster_distance"] == kept.numbers["cluster_distance"] != ARCFACE.cluster_distance
    assert used["join_two_groups"] == kept.numbers["join_two_groups"]


def test_the_same_folder_gives_the_same_numbers_and_digest_and_opens_no_photo_again(
    home: FakeHome, tmp_path: Path
) -> None:
    folder = people_in(tmp_path / "labelled")
    calibrate(home, folder=str(folder))
    first, before = read_home_numbers(home.settings.calibration_file), home.embedder.embedder().detected
    calibrate(home, folder=str(folder))
    second = read_home_numbers(home.settings.calibration_file)
    assert first is not None
    assert second is not None
    assert (second.numbers, second.data) == (first.numbers, first.data)
    assert home.embedder.embedder().detected == before


def test_removing_goes_back_to_the_shipped_numbers(home: FakeHome, tmp_path: Path) -> None:
    calibrate(home, folder=str(people_in(tmp_path / "labelled")))
    assert home.embedder.thresholds() != ARCFACE
    assert "shipped" in str(calibrate(home, remove=True)["answer"].value)
    assert home.embedder.thresholds() == ARCFACE
    assert "no numbers of its own" in str(calibrate(home, remove=True)["answer"].value)


def test_too_few_people_a_folder_without_folders_and_no_folder_are_explained(home: FakeHome, tmp_path: Path) -> None:
    def fails(folder: Path | None) -> str:
        config = {"folder": str(folder)} if folder else {}
        result = home.materialize("pack_calibration", raise_on_error=False, pack_calibration=config)
        assert not result.success
        assert not home.settings.calibration_file.exists()
        (failure,) = [event for event in result.all_events if event.is_step_failure]
        return str(failure.step_failure_data.user_failure_data.description)

    assert "is not a folder" in fails(tmp_path / "nowhere")
    write_photo(tmp_path / "flat" / "one.png", [FakeFace(1, 0.0)])
    assert "has no folders in it" in fails(tmp_path / "flat")
    words = fails(people_in(tmp_path / "one", count=1, photos=20))
    assert f"1 person with 4 and more photos with a face found, {LEAST_PEOPLE} are needed" in words
    assert "Person 00 20" in words
    assert "No photos of this home were read yet" in fails(None)


def test_photos_of_the_home_only_tighten_and_say_what_they_show(home: FakeHome) -> None:
    for place in range(60):  # two people in each photo, far apart
        first, second = place % 9, 9 + place % 9
        faces = [FakeFace(first, 0.1, x=40, size=120), FakeFace(second, -0.1, x=300, size=120)]
        write_photo(home.buckets / "b" / f"{place:03d}.png", faces, seed=place)
    home.run("b")
    metadata = calibrate(home)
    assert "nothing was changed" in str(metadata["answer"].value)
    assert not home.settings.calibration_file.exists()


def test_a_face_in_two_peoples_folders_and_a_strangers_face_are_not_taken_for_the_persons(
    home: FakeHome, tmp_path: Path
) -> None:
    folder = people_in(tmp_path / "labelled", count=11)
    (folder / "Person 01" / "same.png").write_bytes((folder / "Person 00" / "p00_000.png").read_bytes())
    beside = [FakeFace(2, 0.2, x=30, size=90), FakeFace(15, 0.0, x=300, size=200)]
    write_photo(folder / "Person 02" / "with a stranger.png", beside, seed=9)
    calibrate(home, folder=str(folder))
    kept = read_home_numbers(home.settings.calibration_file)
    assert kept is not None
    assert kept.data["people"] == 11
    page = next((home.settings.reports_dir / "@library").glob("*.pack_calibration.md")).read_text()
    assert "one photo in the folders of Person 00 and Person 01" in page


def test_label_faces_needs_people() -> None:
    import polars as pl

    from facesets_dagster.faces.schema import FILE_SCHEMA, face_schema

    with pytest.raises(SettingsError, match="0 people with"):
        label_faces(pl.DataFrame(schema=face_schema(8)), pl.DataFrame(schema=FILE_SCHEMA), 40)


def test_the_file_is_json_that_people_can_read(home: FakeHome, tmp_path: Path) -> None:
    calibrate(home, folder=str(people_in(tmp_path / "labelled")))
    read = json.loads(home.settings.calibration_file.read_text())
    assert set(read) == {
        "schema_version",
        "model_id",
        "model_pack",
        "measured_at",
        "data",
        "numbers",
        "evidence",
    }

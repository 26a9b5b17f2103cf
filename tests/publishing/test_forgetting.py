"""What is forgotten is nowhere in the home, does not come back, and takes nobody else with it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from facesets_dagster.assets._forgetting import forgetting_of
from facesets_dagster.errors import BucketError, LibraryError, SettingsError
from facesets_dagster.files.writing import sha256_of
from facesets_dagster.library.block_list import BlockList
from facesets_dagster.publishing.forgetting.carrying_out import begin
from facesets_dagster.publishing.forgetting.subjects import Subjects
from facesets_dagster.registry.rulings import all_rulings
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import FakeFace, write_looks, write_photo
from testing.forgetting import forget, kept_instance, needles_of, person, traces
from testing.rulings import decide, obey, state_of_face

LOOKS = (-0.9, -0.45, 0.0, 0.45, 0.9)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Persons 1 to 3 in bucket `holiday`, 1 and 4 in `office`; a photo shows 1 and 2; rulings, reports, what-if."""
    folder = tmp_path_factory.mktemp("filled")
    with fake_home_in(folder) as made, kept_instance(made) as home:
        for one in (1, 2, 3):
            write_looks(home.buckets / "holiday", one, LOOKS)
        pair = [FakeFace(1, -0.2, x=40, size=200), FakeFace(2, 0.2, x=340, size=200)]
        write_photo(home.buckets / "holiday" / "both_of_us.png", pair, seed=77)
        write_looks(home.buckets / "office", 4, LOOKS)
        write_looks(home.buckets / "office", 1, [-0.7, 0.2, 0.7])
        for bucket in ("holiday", "office"):
            home.run(bucket, osrc_clusters={"min_faces": 3})
        decide(home, lambda ask: ask.name("faceset_001", "Quintessa"))
        decide(home, lambda ask: ask.name("faceset_002", "Bartholo"))
        decide(home, lambda ask: ask.approve("faceset_003"))
        obey(home)
        home.materialize("what_if", bucket="holiday", what_if={"min_faces": [2, 5]})
        home.materialize("candidate_faces")
    return folder


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Iterator[FakeHome]:
    """A copy of it."""
    shutil.copytree(filled / "home", tmp_path / "home")
    with fake_home_in(tmp_path) as made, kept_instance(made) as home:
        yield home


def faces_of(home: FakeHome, bucket: str) -> pl.DataFrame:
    pack = home.embedder.pack()
    return HomeResource.of(home.settings).face_store(bucket, pack.model_id, pack.dim).columns("faces")


def others(home: FakeHome, *names: str) -> dict[str, bytes]:
    """Files of the library's face sets but these."""
    every = home.files()
    return {
        path: data for path, data in every.items() if path.startswith("faceset_") and path.split("/")[0] not in names
    }


def touch_all(folder: Path) -> None:
    """Every file is another one by its state, with the same bytes."""
    for path in sorted(folder.rglob("*.png")):
        shutil.copy(path, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").rename(path)


def test_a_person_is_nowhere_and_does_not_come_back(home: FakeHome) -> None:
    rows = pl.concat([faces_of(home, "holiday"), faces_of(home, "office")])
    own = set(home.library.registry.members(["faceset_001"])["faceset_001"])
    alone = rows.filter(pl.col("face_id").is_in(own) & (pl.col("path") != "both_of_us.png"))
    needles = needles_of(alone, "Quintessa") | {face.encode() for face in own}
    before, rest = traces(home.settings.home, needles), others(home, "faceset_001")
    assert len(before) > 15
    done = forget(home, person("faceset_001"))
    assert traces(home.settings.home, needles) == []
    assert done.removed == ["faceset_001"]
    assert others(home, "faceset_001") == rest
    assert home.flaws() == []
    touch_all(home.buckets)
    for bucket in ("holiday", "office"):
        home.run(bucket, osrc_clusters={"min_faces": 3})
    assert traces(home.settings.home, needles) == []
    assert home.flaws() == []
    assert [one.name for one in home.library.snapshot().people()] == ["faceset_002", "faceset_003", "faceset_004"]
    assert set(faces_of(home, "holiday").filter(pl.col("path") == "both_of_us.png")["face_id"]).isdisjoint(own)


@pytest.mark.slow
def test_new_photos_of_a_forgotten_person_are_not_stored_with_their_face(home: FakeHome) -> None:
    forget(home, person("faceset_001"))
    write_looks(home.buckets / "office", 1, [-0.1, 0.1, 0.3])
    home.run("office", osrc_clusters={"min_faces": 3})
    assert len(faces_of(home, "office")) == len(LOOKS)
    assert len(home.library.snapshot().people()) == 3


def test_a_photo_is_nowhere_and_its_people_keep_the_rest(home: FakeHome) -> None:
    rows = faces_of(home, "holiday").filter(pl.col("path") == "both_of_us.png")
    shutil.copy(home.buckets / "holiday" / "both_of_us.png", home.buckets / "office" / "a copy.png")
    home.run("office", osrc_clusters={"min_faces": 3})
    needles, rest = needles_of(rows, "a copy.png"), others(home, "faceset_001", "faceset_002")
    assert len(traces(home.settings.home, needles)) > 10
    sha256 = str(rows["sha256"][0])
    done = forget(home, lambda subjects: subjects.photos({sha256}))
    assert traces(home.settings.home, needles) == []
    assert done.changed == ["faceset_001", "faceset_002"]
    assert others(home, "faceset_001", "faceset_002") == rest
    assert home.flaws() == []
    touch_all(home.buckets)
    for bucket in ("holiday", "office"):
        result = home.run(bucket, osrc_clusters={"min_faces": 3})
        (seen,) = result.asset_materializations_for_node("face_cache")
        assert seen.metadata["forgotten_files"].value == 1
    assert traces(home.settings.home, needles) == []
    assert home.flaws() == []


def test_a_bucket_is_nowhere_and_cannot_be_run(home: FakeHome) -> None:
    needles = needles_of(faces_of(home, "office"), "office")
    rest = others(home, "faceset_001", "faceset_004")
    done = forget(home, lambda subjects: subjects.bucket("office"))
    assert traces(home.settings.home, needles) == []
    assert done.removed == ["faceset_004"]
    assert done.changed == ["faceset_001"]
    assert others(home, "faceset_001", "faceset_004") == rest
    assert home.flaws() == []
    assert "office" not in HomeResource.of(home.settings).buckets()
    with pytest.raises(BucketError, match="was forgotten and is not read again"):
        HomeResource.of(home.settings).bucket_folder("office")


@pytest.mark.slow
def test_the_founder_of_a_face_set_can_be_forgotten(home: FakeHome) -> None:
    needles = needles_of(faces_of(home, "holiday"), "holiday", "Bartholo")
    done = forget(home, lambda subjects: subjects.bucket("holiday"))
    assert traces(home.settings.home, needles) == []
    assert done.changed == ["faceset_001"]
    (left,) = [one for one in home.library.snapshot().people() if one.name == "faceset_001"]
    assert left.bucket == "office"
    assert home.flaws() == []


@pytest.mark.slow
def test_photos_that_are_gone_are_forgotten_and_may_come_back(home: FakeHome) -> None:
    path = next(path for path in sorted((home.buckets / "holiday").iterdir()) if path.name.startswith("p02"))
    kept = path.read_bytes()
    path.unlink()
    home.run("holiday", osrc_clusters={"min_faces": 3})
    rows = faces_of(home, "holiday").filter(pl.col("path") == path.name)
    assert rows["source_missing"].to_list() == [True]
    needles = needles_of(rows)
    assert traces(home.settings.home, needles) != []
    defs = home.definitions_of(home.settings)
    config = {"ops": {"remove_what_is_old": {"config": {"forget_gone": True}}}}
    job = defs.resolve_job_def("housekeeping")
    days = job.run_config["ops"]["remove_what_is_old"]["config"]  # type: ignore[index]
    config["ops"]["remove_what_is_old"]["config"] = {**days, "forget_gone": True}
    assert job.execute_in_process(instance=home.instance, run_config=config).success
    assert traces(home.settings.home, needles) == []
    assert home.flaws() == []
    path.write_bytes(kept)
    home.run("holiday", osrc_clusters={"min_faces": 3})
    assert path.name in faces_of(home, "holiday")["path"].to_list()


@pytest.mark.slow
def test_a_bucket_that_is_gone_is_forgotten_unless_nothing_is_there(home: FakeHome) -> None:
    needles = needles_of(faces_of(home, "office"), "office")
    shutil.move(home.buckets, home.buckets.with_name("unmounted"))
    home.buckets.mkdir()
    resource = HomeResource.of(home.settings).plain()
    pack = home.embedder.pack()
    gone = Subjects(resource, (home.library,), pack.model_id, pack.dim, 0.45).gone()
    assert gone.is_empty, "a disk that is not mounted takes nothing with it"
    home.buckets.rmdir()
    shutil.move(home.buckets.with_name("unmounted"), home.buckets)
    shutil.rmtree(home.buckets / "office")
    forget(home, lambda subjects: subjects.gone())
    assert traces(home.settings.home, needles) == []
    assert home.flaws() == []


def test_forgetting_stands_above_rulings(home: FakeHome) -> None:
    face = str(faces_of(home, "holiday").filter(pl.col("path").str.starts_with("p03"))["face_id"][0])
    decide(home, lambda ask: ask.assign({face: "holiday"}, "faceset_002"))
    obey(home)
    assert state_of_face(home, face, "holiday")[1] == "faceset_002"
    forget(home, person("faceset_002"))
    assert face not in faces_of(home, "holiday")["face_id"].to_list()
    left = {ruling.kind for ruling in all_rulings(home.library.registry)}
    assert left == {"name", "approve"}
    assert home.flaws() == []
    obey(home)
    assert home.flaws() == []


@pytest.mark.slow
def test_a_merge_by_hand_survives_the_loss_of_a_photo(home: FakeHome) -> None:
    decide(home, lambda ask: ask.same("faceset_002", "faceset_003"))
    obey(home)
    sha256 = str(faces_of(home, "holiday").filter(pl.col("path") == "both_of_us.png")["sha256"][0])
    forget(home, lambda subjects: subjects.photos({sha256}))
    people = [one.name for one in home.library.snapshot().people()]
    assert people == ["faceset_001", "faceset_003", "faceset_004"]
    assert home.flaws() == []


def test_nothing_is_read_without_the_block_list(home: FakeHome) -> None:
    forget(home, person("faceset_003"))
    folder = home.settings.home / "forgotten"
    assert (folder / "key").stat().st_mode & 0o077 == 0
    assert (folder / "blocked.json").stat().st_mode & 0o077 == 0
    (folder / "key").rename(folder / "elsewhere")
    with pytest.raises(SettingsError, match=r"blocked.json cannot be used .its key file is not there"):
        BlockList.of(home.settings.home)
    assert not home.run("holiday", raise_on_error=False).success


def test_a_receipt_names_nobody(home: FakeHome) -> None:
    done = forget(home, person("faceset_001"))
    text = done.receipt.read_text()
    assert "Quintessa" not in text
    assert done.plan.digest() in text
    assert sha256_of(done.receipt)
    assert not any(face in text for _, face in done.plan.faces)


def test_what_is_unknown_is_not_begun(home: FakeHome) -> None:
    forgetting = forgetting_of(HomeResource.of(home.settings), home.embedder, home.instance, "a run", print)
    with pytest.raises(LibraryError, match="nothing to forget"):
        begin(forgetting, forgetting.subjects.photos({"0" * 64}))
    assert not (home.settings.home / "forgotten" / "pending.json").exists()

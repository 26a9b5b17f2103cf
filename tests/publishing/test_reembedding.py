"""Another model pack for a home: the same people under the same names, and every ruling still holds."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from facesets_dagster.cli import reembed
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.home import pack_on_record, recorded_pack
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.verification import verify_library
from facesets_dagster.publishing.rulings.planner import changes_now
from facesets_dagster.publishing.rulings.writing import enter
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force
from facesets_dagster.resources.home import HomeResource
from testing.eras import meet as meet_eras
from testing.eras import split
from testing.fake_home import FakeHome
from testing.fakes import OTHER_PACK, PACK, write_looks
from testing.merges import STRICT, apply, live, undo
from testing.other_pack import BlindResource, OtherResource, answer, put_on_record, requests, with_pack

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def _people(home: FakeHome) -> None:
    for bucket, person in (("a", 1), ("c", 2), ("d", 3), ("e", 4)):
        write_looks(home.buckets / bucket, person, [-0.9, -0.45, 0.0, 0.45])
        home.run(bucket, **STRICT)
    write_looks(home.buckets / "b", 1, [0.6, 0.8, 1.0])
    home.run("b", **STRICT)
    put_on_record(home.settings.home)


ONE, TWO, THREE, FOUR, FIVE = (f"faceset_{number:03d}" for number in range(1, 6))


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: Patch) -> FakeHome:
    fake_home.begin(_people)
    with_pack(fake_home, monkeypatch, OtherResource())
    return fake_home


def photos_of_people(home: FakeHome) -> dict[str, set[tuple[str, str]]]:
    """Live faceset -> (bucket, photo) of its members."""
    found: dict[str, set[tuple[str, str]]] = {}
    alive = set(live(home))
    for name, bucket, face_id, _ in home.library.registry.memberships().iter_rows():
        if name in alive:
            found.setdefault(name, set()).add((bucket, face_id[:16]))
    return found


def models(home: FakeHome) -> set[str]:
    """Of everything that the library shows."""
    found = {one.model_id for one in home.library.registry.identities() if one.model_id}
    found |= {run.model_id for run in home.library.registry.bucket_runs()}
    for name in live(home):
        folder = home.settings.library_dir / name
        found |= set(pl.read_parquet(folder / "members.parquet")["model_id"])
        found.add(json.loads((folder / "manifest.json").read_text())["model"]["model_id"])
    return found


def rule(home: FakeHome, make: Callable[[Any], Ruling]) -> Ruling:
    """Writes a ruling and has the library obey it."""
    (written,) = enter(home.library, [make(requests(home))])
    assert home.materialize("applied_rulings").success
    return written


def face_of(home: FakeHome, name: str, place: int = 0) -> str:
    return sorted(home.library.registry.members([name])[name])[place]


def test_names_numbers_and_members_go_over_by_photo_and_box(home: FakeHome, capsys: Capture) -> None:
    before, numbers = photos_of_people(home), home.library.registry.used_numbers()
    old_ids = set(home.library.registry.members()[ONE])
    done = answer(home, capsys)
    assert photos_of_people(home) == before
    assert home.library.registry.used_numbers() == numbers
    assert not old_ids & set(home.library.registry.members()[ONE]), "the boxes lie elsewhere, so do the ids"
    assert models(home) == {OTHER_PACK.model_id}
    with np.load(home.settings.library_dir / ONE / f"{ONE}.npz") as vectors:
        assert vectors["embeddings"].shape[1] == OTHER_PACK.dim
    assert home.flaws() == []
    assert done["libraries"][0]["members_left_behind"] == []
    assert recorded_pack(home.settings) == "other"


def test_a_run_of_every_bucket_with_the_new_pack_keeps_everybody(home: FakeHome, capsys: Capture) -> None:
    answer(home, capsys)
    before = photos_of_people(home)
    home.embedder = OtherResource()
    for bucket in "abcde":
        assert home.run(bucket, **STRICT).success
    assert photos_of_people(home) == before
    assert home.flaws() == []


def test_rulings_hold_with_the_new_pack(home: FakeHome, capsys: Capture) -> None:
    apply(home, [ONE, FIVE])
    rule(home, lambda of: of.name(TWO, "Anna"))
    stranger = face_of(home, TWO, 1)
    rule(home, lambda of: of.not_person({stranger: None}, TWO))
    rule(home, lambda of: of.different(TWO, THREE))
    rule(home, lambda of: of.ignore(FOUR))
    rule(home, lambda of: of.feature(face_of(home, THREE), THREE, lead=False))
    rule(home, lambda of: of.approve(THREE))
    rule(home, lambda of: of.threshold(PACK.model_id, "cluster_distance", 0.5, 0.6, {}))
    before, labels = photos_of_people(home), {one.name: one.label for one in home.library.registry.identities()}
    assert set(before) == {ONE, TWO, THREE}
    done = answer(home, capsys)["libraries"][0]
    assert [one["kind"] for one in done["dormant"]] == ["threshold"]
    assert photos_of_people(home) == before
    assert {one.name: one.label for one in home.library.registry.identities()} == labels
    assert changes_now(home.library).are_none()
    assert home.flaws() == []
    of_one_model = {face.model_id for ruling in rulings_in_force(home.library.registry) for face in ruling.faces}
    assert of_one_model == {OTHER_PACK.model_id}
    home.embedder = OtherResource()
    for bucket in "abcde":
        home.run(bucket, **STRICT)
    home.materialize("applied_rulings")
    assert photos_of_people(home) == before
    assert home.flaws() == []
    (approval,) = [one for one in rulings_in_force(home.library.registry) if one.kind == "approve"]
    assert set(approval.payload["members"]) == set(home.library.registry.members()[THREE])


def test_what_was_ruled_before_can_be_undone_after(home: FakeHome, capsys: Capture) -> None:
    before = photos_of_people(home)
    apply(home, [ONE, FIVE])
    answer(home, capsys)
    home.embedder = OtherResource()
    undo(home, FIVE)
    assert photos_of_people(home) == before
    assert models(home) == {OTHER_PACK.model_id}
    assert home.flaws() == []


def test_a_dry_run_writes_nothing(home: FakeHome, capsys: Capture) -> None:
    before = _everything(home)
    plan = answer(home, capsys, dry_run=True)["plan"][0]
    assert plan["photos_to_read"] == 19
    assert plan["bytes_needed"] > 0
    assert plan["seconds"] is None or plan["seconds"] >= 0
    assert _everything(home) == before


def test_a_photo_that_is_gone_goes_over_by_its_picture(home: FakeHome, capsys: Capture) -> None:
    before = photos_of_people(home)
    gone = sorted((home.buckets / "c").iterdir())[0]
    gone.unlink()
    plan = answer(home, capsys, dry_run=True)["plan"][0]
    assert plan["members_by_picture"] == 1
    done = answer(home, capsys)["libraries"][0]
    assert done["members_by_picture"] == 1
    assert photos_of_people(home) == before
    rows = pl.read_parquet(home.settings.library_dir / TWO / "members.parquet")
    assert rows["source_missing"].to_list().count(True) == 1
    assert set(rows["state"]) == {"exported"}
    home.embedder = OtherResource()
    home.run("c", **STRICT)
    assert photos_of_people(home) == before
    assert home.flaws() == []


def test_faces_that_the_new_pack_does_not_find_are_listed_and_their_ruling_sleeps(
    home: FakeHome, monkeypatch: Patch, capsys: Capture
) -> None:
    named = rule(home, lambda of: of.name(THREE, "Berta"))
    with_pack(home, monkeypatch, BlindResource())
    done = answer(home, capsys)["libraries"][0]
    assert done["out_of_use"] == [THREE]
    assert {one["why"] for one in done["members_left_behind"]} == {"not_found"}
    assert [one["ruling_id"] for one in done["dormant"]] == [named.ruling_id]
    assert THREE not in live(home)
    assert home.flaws() == []
    assert 3 in home.library.registry.used_numbers()


def test_a_ruling_that_sleeps_wakes_when_its_faces_are_seen_again(
    home: FakeHome, monkeypatch: Patch, capsys: Capture
) -> None:
    face, other = face_of(home, THREE), face_of(home, THREE, 1)
    told = rule(home, lambda of: of.different({face: None}, {other: None}))
    with_pack(home, monkeypatch, BlindResource())
    answer(home, capsys)
    assert [one.state for one in all_rulings(home.library.registry)] == ["dormant"]
    with_pack(home, monkeypatch, OtherResource())
    home.embedder = OtherResource()
    shutil.rmtree(home.settings.cache_dir / "faces" / "d" / OTHER_PACK.model_id)
    home.run("d", **STRICT)
    home.materialize("applied_rulings")
    (now,) = all_rulings(home.library.registry)
    assert (now.ruling_id, now.state) == (told.ruling_id, "in_force")
    assert {one.model_id for one in now.faces} == {OTHER_PACK.model_id}


def test_back_to_the_first_pack_everything_is_as_it_was(home: FakeHome, capsys: Capture) -> None:
    rule(home, lambda of: of.name(TWO, "Anna"))
    before, members = photos_of_people(home), home.library.registry.members()
    answer(home, capsys)
    answer(home, capsys, pack="fake")
    assert photos_of_people(home) == before
    assert home.library.registry.members() == members
    assert models(home) == {PACK.model_id}
    assert home.flaws() == []


def test_the_old_cache_stays_until_it_is_removed(home: FakeHome, capsys: Capture) -> None:
    answer(home, capsys)
    faces = home.settings.cache_dir / "faces"
    assert {path.name for path in faces.glob("*/*") if path.is_dir()} == {PACK.model_id, OTHER_PACK.model_id}
    removed = answer(home, capsys, remove_old=True)["removed"]
    assert len(removed) >= 5
    assert {path.name for path in faces.glob("*/*") if path.is_dir()} == {OTHER_PACK.model_id}


def test_eras_go_over(fake_home: FakeHome, monkeypatch: Patch, capsys: Capture) -> None:
    meet_eras(fake_home)
    split(fake_home, "faceset_001", min_era_faces=2)
    put_on_record(fake_home.settings.home)
    with_pack(fake_home, monkeypatch, OtherResource())
    before = photos_of_people(fake_home)
    eras = {one.name for one in fake_home.library.registry.identities() if one.is_era and one.live}
    assert eras
    answer(fake_home, capsys)
    assert photos_of_people(fake_home) == before
    assert {one.name for one in fake_home.library.registry.identities() if one.is_era and one.live} == eras
    assert {len(anchor.centroid) for anchor in fake_home.library.registry.anchors().values()} == {OTHER_PACK.dim}
    assert fake_home.flaws() == []


def test_buckets_that_are_not_there_are_named_before_anything_is_done(home: FakeHome, capsys: Capture) -> None:
    (home.buckets / "d").rename(home.buckets.parent / "away")
    before = _everything(home)
    with pytest.raises(LibraryError, match=r"d \(4 photos\)"):
        answer(home, capsys)
    assert _everything(home) == before
    answer(home, capsys, despite_absent=True)
    assert set(live(home)) == {ONE, TWO, THREE, FOUR, FIVE}
    assert home.flaws() == []


def test_a_home_on_its_way_does_nothing_else(home: FakeHome, capsys: Capture) -> None:
    record = home.settings.home / "home.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "switching_to": "other"}))
    with pytest.raises(SettingsError, match="facesets reembed other"):
        recorded_pack(home.settings)
    with pytest.raises(SettingsError, match="Finish that first"):
        answer(home, capsys, pack="third")
    answer(home, capsys)
    assert pack_on_record(home.settings) == ("other", None)


def _everything(home: FakeHome) -> dict[str, bytes]:
    """Files of the home but those of locks."""
    root = home.settings.home
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", "-wal", "-shm"))
    }


def test_every_library_of_the_home_gets_the_pack(home: FakeHome, capsys: Capture) -> None:
    config = {"new_library": "fresh", "min_faces": 3}
    assert home.materialize("refined_library", refined_library=config).success
    beside = HomeResource.of(home.settings).library("fresh")
    before = beside.registry.memberships().height
    assert before
    done = answer(home, capsys)["libraries"]
    assert [one["library"] for one in done] == ["facesets_swap_ready", "facesets_swap_ready_fresh"]
    assert {one.model_id for one in beside.registry.identities() if one.live} == {OTHER_PACK.model_id}
    assert beside.registry.memberships().height == before
    assert verify_library(beside) == []
    assert home.flaws() == []


def test_hand_sorted_people_go_over(home: FakeHome, capsys: Capture) -> None:
    write_looks(home.people / "Dora", 6, [-0.9, 0.0, 0.9])
    home.materialize("hand_sorted_facesets")
    before = photos_of_people(home)
    assert len(before) == 6
    answer(home, capsys)
    assert photos_of_people(home) == before
    home.embedder = OtherResource()
    home.materialize("hand_sorted_facesets")
    assert photos_of_people(home) == before
    assert home.flaws() == []


def test_it_waits_for_no_run_and_says_which_one_is_under_way(home: FakeHome, capsys: Capture) -> None:
    home.instance.add_run(dg.DagsterRun(job_name="discover_identities", status=dg.DagsterRunStatus.STARTED))
    before = _everything(home)
    answer(home, capsys, dry_run=True)
    with pytest.raises(LibraryError, match="1 run of this home is under way"):
        answer(home, capsys)
    assert _everything(home) == before


def test_the_time_is_told_by_the_last_scan(home: FakeHome) -> None:
    assert reembed.pace_on_record(home.instance) is None
    write_looks(home.buckets / "f", 7, [0.0])
    home.run("f")
    first = reembed.pace_on_record(home.instance)
    assert first is not None
    assert first > 0
    home.run("f", job="full_pipeline")  # reads nothing
    assert reembed.pace_on_record(home.instance) == first


def test_a_ruling_written_with_the_new_pack_goes_over_to_the_next(home: FakeHome, capsys: Capture) -> None:
    answer(home, capsys)
    home.embedder = OtherResource()
    stranger = face_of(home, TWO)
    rule(home, lambda of: of.not_person({stranger: None}, TWO))
    rule(home, lambda of: of.assign({face_of(home, FIVE): None}, ONE))
    before = photos_of_people(home)
    answer(home, capsys, pack="fake")
    assert photos_of_people(home) == before
    assert changes_now(home.library).are_none()
    assert {one.state for one in all_rulings(home.library.registry)} == {"in_force"}
    assert home.flaws() == []

"""Merges of people whom folders assert, who have eras or labels, and whose bytes are in two places."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.publishing import publisher as updating
from testing.eras import OLD, YOUNG, write_dated
from testing.fake_home import FakeHome
from testing.fakes import write_looks
from testing.labels import decide_name, give_label
from testing.legacy_generator import Shape, write_legacy
from testing.merges import (
    LEFT,
    MIDDLE,
    RIGHT,
    STRICT,
    apply,
    graves,
    live,
    manifest,
    meet,
    rows,
    sort_by_hand,
    undo,
    visible,
)

pytestmark = pytest.mark.both_databases


def label_of(home: FakeHome, name: str) -> str | None:
    return next(identity.label for identity in home.library.registry.identities() if identity.name == name)


def meanwhile(monkeypatch: pytest.MonkeyPatch, owner: object, step: str, write: Callable[[], None]) -> None:
    """Somebody writes just before the next publication comes to this step."""
    real, waiting = getattr(owner, step), [write]

    def after_that(*args: Any, **kwargs: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, step, after_that)


def test_a_folder_whose_person_was_merged_goes_on_asserting_for_the_keeper(fake_home: FakeHome) -> None:
    sort_by_hand(fake_home, ("Anna a", LEFT), ("Anna b", RIGHT))
    one, two = live(fake_home)
    files = fake_home.files()
    apply(fake_home, [one, two], despite_labels=True)
    merged = fake_home.files()
    fake_home.materialize("hand_sorted_facesets")
    assert fake_home.files() == merged
    write_looks(fake_home.people / "Anna b", 1, [0.2])
    fake_home.materialize("hand_sorted_facesets")
    assert live(fake_home) == [one]
    assert len(fake_home.library.registry.members()[one]) == 7
    assert fake_home.flaws() == []
    undo(fake_home, two)
    sizes = {name: len(faces) for name, faces in fake_home.library.registry.members().items()}
    assert sizes == {one: 3, two: 4}  # the new photo lies in the folder of the second
    assert {name: data for name, data in fake_home.files().items() if name.startswith(f"{one}/")} == {
        name: data for name, data in files.items() if name.startswith(f"{one}/")
    }
    assert fake_home.flaws() == []
    once = fake_home.files()
    fake_home.materialize("hand_sorted_facesets")
    assert fake_home.files() == once


def test_the_larger_folder_does_not_take_the_keeper_away_from_the_smaller_one(fake_home: FakeHome) -> None:
    sort_by_hand(fake_home, ("Anna a", [-0.2, 0.2, 0.6, 0.0, 0.4, -0.4]), ("Anna b", LEFT))
    before = fake_home.files()
    apply(fake_home, ["faceset_001", "faceset_002"], despite_labels=True)
    write_looks(fake_home.people / "Anna b", 1, [-0.8, -0.7, -0.6, -0.5, -0.3, -0.1, 0.1])
    fake_home.materialize("hand_sorted_facesets")
    assert live(fake_home) == ["faceset_001"]
    assert fake_home.flaws() == []
    for photo in list((fake_home.people / "Anna b").glob("*.png")):
        if photo.name not in {f"p01_{look:+.3f}.png" for look in LEFT}:
            photo.unlink()
    undo(fake_home, "faceset_002")
    fake_home.materialize("hand_sorted_facesets")
    assert live(fake_home) == ["faceset_001", "faceset_002"]
    assert fake_home.flaws() == []
    assert before.keys() <= fake_home.files().keys()


@pytest.mark.both_databases(fast=True)
def test_the_hand_sorted_name_stays_and_a_discovered_one_leads_to_it(fake_home: FakeHome) -> None:
    (found,) = meet(fake_home, RIGHT)
    sort_by_hand(fake_home, ("Anna", LEFT))
    asserted = next(name for name in live(fake_home) if name != found)
    files, table = fake_home.files(), rows(fake_home)
    apply(fake_home, [found, asserted])
    assert live(fake_home) == [asserted]
    assert graves(fake_home) == {found: asserted}
    merged = fake_home.files()
    fake_home.materialize("hand_sorted_facesets")
    fake_home.run("a", **STRICT)
    assert fake_home.files() == merged
    undo(fake_home, found)
    assert fake_home.files() == files
    of_runs = ("bucket_runs", "bucket_extensions")
    assert {name: known for name, known in rows(fake_home).items() if name not in of_runs} == {
        name: known for name, known in table.items() if name not in of_runs
    }


def test_copies_of_one_photo_in_both_are_no_veto_and_count_once(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, LEFT)
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    sort_by_hand(fake_home, ("Anna", [*LEFT, *RIGHT]))
    files, table = fake_home.files(), rows(fake_home)
    apply(fake_home, ["faceset_001", "faceset_002"])
    assert live(fake_home) == ["faceset_002"]
    assert len(fake_home.library.registry.members()["faceset_002"]) == 6
    states = fake_home.library.registry.decisions("a")
    assert set(states["state"]) == {"covered"}
    assert set(states["identity"]) == {"faceset_002"}
    assert fake_home.flaws() == []
    undo(fake_home, "faceset_001")
    assert fake_home.files() == files
    assert rows(fake_home) == table


def test_a_face_that_three_have_goes_back_to_each(fake_home: FakeHome) -> None:
    looks = [LEFT, [*MIDDLE, LEFT[2]], [*RIGHT, LEFT[2]]]
    for bucket, variants in zip("abc", looks, strict=True):
        write_looks(fake_home.people / bucket, 1, variants)
    fake_home.materialize("hand_sorted_facesets")
    one, two, three = sorted(live(fake_home))
    files = visible(fake_home)
    for order in itertools.permutations([two, three]):
        apply(fake_home, [one, two, three], despite_labels=True)
        for name in order:
            undo(fake_home, name)
            assert fake_home.flaws() == []
        assert visible(fake_home) == files


def test_eras_go_with_their_person_and_come_back_with_it(fake_home: FakeHome) -> None:
    write_dated(fake_home.buckets / "a", YOUNG)
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    write_dated(fake_home.buckets / "b", OLD)
    fake_home.run("b", **STRICT)
    settings = {"split": ["*"], "min_era_faces": 2}
    fake_home.materialize("era_facesets", era_facesets=settings)
    files = fake_home.files()
    one, two = "faceset_001", "faceset_002"
    era = next(name for name in live(fake_home) if name.startswith(f"{two}_era_"))
    apply(fake_home, [one, two])
    assert era not in live(fake_home)
    assert graves(fake_home) == {two: one, era: one}
    assert fake_home.flaws() == []
    fake_home.materialize("era_facesets", era_facesets=settings)  # splits what came, and revives nothing
    assert era not in live(fake_home)
    assert any(name.startswith(f"{one}_era_2020") for name in live(fake_home))
    assert fake_home.flaws() == []
    undo(fake_home, two)
    assert era in live(fake_home)
    assert not any(name.startswith(f"{one}_era_2020") for name in live(fake_home))
    now = {name: data for name, data in fake_home.files().items() if not name.startswith("_retired/")}
    stays = {name: data for name, data in files.items() if name != "manifest.json"}
    assert {name: data for name, data in now.items() if name != "manifest.json"} == stays
    assert fake_home.flaws() == []


def test_faces_that_slotted_into_an_era_of_the_keeper_leave_it_with_their_person(fake_home: FakeHome) -> None:
    write_dated(fake_home.buckets / "a", YOUNG)
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    settings = {"split": ["*"], "min_era_faces": 2}
    fake_home.materialize("era_facesets", "top_manifest", era_facesets=settings)
    write_dated(fake_home.buckets / "b", [(2011, -0.7), (2011, -0.8), (2012, -0.6)])
    fake_home.run("b", **STRICT)
    files, table = fake_home.files(), rows(fake_home)
    apply(fake_home, ["faceset_001", "faceset_002"])
    fake_home.materialize("era_facesets")
    eras = fake_home.library.registry.members([name for name in live(fake_home) if "_era_" in name])
    assert sum(map(len, eras.values())) > 4
    undo(fake_home, "faceset_002")
    assert fake_home.files() == files
    assert rows(fake_home) == table


def test_a_keeper_without_a_label_takes_one_and_gives_it_back(fake_home: FakeHome) -> None:
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    give_label(fake_home.library.registry, two, "Anna")
    give_label(fake_home.library.registry, three, "Anna")
    fake_home.materialize("top_manifest")
    files = fake_home.files()
    apply(fake_home, [one, two])
    assert label_of(fake_home, one) == "Anna"
    apply(fake_home, [one, three])
    undo(fake_home, two)
    assert label_of(fake_home, one) == "Anna"  # as if only the third had been merged
    undo(fake_home, three)
    assert label_of(fake_home, one) is None
    assert fake_home.files() == files


def test_a_label_that_was_given_by_hand_since_then_stays(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    give_label(fake_home.library.registry, two, "Anna")
    apply(fake_home, [one, two])
    decide_name(fake_home, one, "Zoe")
    undo(fake_home, two)
    assert (label_of(fake_home, one), label_of(fake_home, two)) == ("Zoe", "Anna")


def test_a_name_that_is_given_but_not_applied_yet_counts_in_a_merge(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    give_label(fake_home.library.registry, two, "Anna")
    decide_name(fake_home, one, "Zoe")
    with pytest.raises(Exception, match="Two labels in one group: faceset_001 is 'Zoe', faceset_002 is 'Anna'"):
        apply(fake_home, [one, two])
    assert (label_of(fake_home, one), label_of(fake_home, two)) == (None, "Anna")
    assert live(fake_home) == [one, two]
    fake_home.materialize("applied_rulings")
    assert label_of(fake_home, one) == "Zoe"


def test_what_people_write_until_the_very_commit_is_kept_by_merge_and_undo(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    registry, path = fake_home.library.registry, fake_home.settings.library_dir / "manifest.json"
    give_label(registry, two, "Anna")
    fake_home.materialize("top_manifest")

    def write() -> None:
        decide_name(fake_home, one, "Zoe")
        told = json.loads(path.read_text())
        told["facesets"][1]["note"] = "from the attic"
        path.write_text(json.dumps(told, indent=1))

    meanwhile(monkeypatch, updating, "commit", write)
    apply(fake_home, [one, two])
    fake_home.materialize("applied_rulings")
    assert label_of(fake_home, one) == "Zoe"
    undo(fake_home, two)
    assert (label_of(fake_home, one), label_of(fake_home, two)) == ("Zoe", "Anna")
    entries = {entry["name"]: entry for entry in manifest(fake_home)["facesets"]}
    assert entries[two]["note"] == "from the attic"
    assert entries[one]["label"] == "Zoe"
    assert fake_home.flaws() == []


def test_what_somebody_wrote_into_the_manifest_comes_back_word_for_word(fake_home: FakeHome) -> None:
    names = meet(fake_home, LEFT, MIDDLE, RIGHT)
    path = fake_home.settings.library_dir / "manifest.json"
    told = json.loads(path.read_text())
    for entry in told["facesets"]:
        entry["note"] = f"ours: {entry['name']}"
    told["facesets"] = told["facesets"][::-1]
    path.write_text(json.dumps(told, indent=1))
    fake_home.materialize("top_manifest")
    before = path.read_bytes()
    for order in itertools.permutations(names[1:]):
        apply(fake_home, [names[0], names[1]])
        apply(fake_home, [names[0], names[2]])
        for name in order:
            undo(fake_home, name)
        assert path.read_bytes() == before


def test_faces_whose_photos_and_caches_are_gone_come_back_with_their_pictures(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    files = visible(fake_home)
    apply(fake_home, [one, two])
    for bucket in "ab":
        shutil.rmtree(fake_home.buckets / bucket)
    undo(fake_home, two)
    assert visible(fake_home) == files
    apply(fake_home, [one, two])
    shutil.rmtree(fake_home.settings.cache_dir / "faces")
    undo(fake_home, two)
    assert set(visible(fake_home)) == set(files)
    assert fake_home.flaws() == []


def with_another_run(text: bytes) -> bytes:
    return json.dumps({**json.loads(text), "run_id": "somebody's"}).encode()


@pytest.mark.parametrize(
    ("file", "damaged"),
    [
        ("faces/0001.png", lambda _: b"no picture"),
        ("manifest.json", with_another_run),
        ("manifest.json", lambda _: b"no manifest"),
    ],
)
def test_verify_tells_of_a_damaged_archive_and_undo_still_works(
    fake_home: FakeHome, file: str, damaged: Callable[[bytes], bytes]
) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    before = visible(fake_home)
    apply(fake_home, [one, two])
    path = next((fake_home.settings.library_dir / "_retired" / "_merged" / two).glob(f"*/{file}"))
    before_that = path.read_bytes()
    path.unlink()  # a hard link
    path.write_bytes(damaged(before_that))
    assert [flaw.what for flaw in fake_home.flaws()] == [f"missing or changed since {two} was changed by a ruling"]
    undo(fake_home, two)
    assert fake_home.flaws() == []
    assert manifest(fake_home, two)["run_id"] != "somebody's"
    assert visible(fake_home).keys() == before.keys()
    assert visible(fake_home)[f"{two}/faces/0001.png"] == before[f"{two}/faces/0001.png"]


def test_the_keeper_of_a_photo_that_moved_to_somebody_elses_folder_does_not_give_it_back(fake_home: FakeHome) -> None:
    sort_by_hand(fake_home, ("Anna a", LEFT), ("Anna b", RIGHT))
    write_looks(fake_home.people / "Bo", 2, [-0.4, 0.0, 0.4])
    fake_home.materialize("hand_sorted_facesets")
    one, two, _ = live(fake_home)
    apply(fake_home, [one, two], despite_labels=True)
    for photo in (fake_home.people / "Anna b").glob("*.png"):
        shutil.move(photo, fake_home.people / "Anna a" / photo.name)
    (fake_home.people / "Anna b").rmdir()
    fake_home.materialize("hand_sorted_facesets")
    assert fake_home.flaws() == []
    undo(fake_home, two)
    fake_home.materialize("hand_sorted_facesets")
    assert fake_home.flaws() == []
    members = fake_home.library.registry.memberships(bucket=HAND_SORTED)
    alive = members.filter(pl.col("name").is_in(live(fake_home)))
    assert alive["face_id"].is_unique().all()


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
@pytest.mark.parametrize(
    "shape", [Shape(auto=3, hand_sorted=0), Shape()], ids=["one keeper", "a more trusted one comes"]
)
def test_legacy_facesets_that_lie_elsewhere_are_merged_and_put_back(
    fake_home: FakeHome, tmp_path: Path, shape: Shape, order: tuple[int, ...], alike: bool
) -> None:
    spread = (lambda person, photo: (3, -0.95 + 0.4 * photo + 0.07 * person)) if alike else None
    legacy = write_legacy(tmp_path / "legacy", shape, spread=spread)
    fake_home.settings = fake_home.settings.model_copy(update={"legacy_roots": (legacy.root,)})
    fake_home.materialize("legacy_library", "top_manifest")
    one, two, three = [name for name in live(fake_home) if "_era_" not in name][:3]
    files, table = fake_home.files(), rows(fake_home)
    for other in (two, three):
        apply(fake_home, [one, other], despite_labels=True, despite_veto=True)
        assert fake_home.flaws() == []
    keeper, merged = (one, [two, three]) if shape.hand_sorted == 0 else (three, [two, one])
    assert manifest(fake_home, keeper)["faces"]
    fake_home.materialize("legacy_library", "top_manifest")
    assert set(live(fake_home)).isdisjoint(merged)
    assert fake_home.flaws() == []
    for place in order:
        undo(fake_home, merged[place])
        assert fake_home.flaws() == []
    assert fake_home.files() == files
    assert rows(fake_home) == table


def test_strangers_on_one_heap_have_nobody_near_their_middle_and_still_come_back(
    fake_home: FakeHome, tmp_path: Path
) -> None:
    legacy = write_legacy(tmp_path / "legacy", Shape(auto=14, hand_sorted=0, discovered=0, photos=2))
    fake_home.settings = fake_home.settings.model_copy(update={"legacy_roots": (legacy.root,)})
    fake_home.materialize("legacy_library", "top_manifest")
    people = [name for name in live(fake_home) if "_era_" not in name]
    files, table = fake_home.files(), rows(fake_home)
    apply(fake_home, people, despite_veto=True)
    assert not (fake_home.settings.library_dir / people[0]).exists()  # nothing can be exported
    assert fake_home.flaws() == []
    undo(fake_home, *people[1:3])
    undo(fake_home, "*")
    assert fake_home.files() == files
    assert rows(fake_home) == table

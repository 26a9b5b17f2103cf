"""Refine: a fresh library numbered by size, refused where numbers exist, another one beside it on demand."""

import json

import polars as pl
import pytest

from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.merges import live
from testing.rulings import decide, faces_of, obey, three_people

CONFIG = {"min_faces": 3}


def labels(home: FakeHome) -> list[tuple[str, str, str | None]]:
    return [(i.name, i.kind, i.bucket) for i in home.library.registry.identities()]


def scanned(home: FakeHome, **people: dict[int, int]) -> None:
    for bucket, counts in people.items():
        for person, count in counts.items():
            write_person(home.buckets / bucket, person, count)
        home.materialize("face_cache", bucket=bucket)


def test_people_of_all_buckets_are_founded_at_once_and_numbered_by_size(fake_home: FakeHome) -> None:
    scanned(fake_home, a={1: 4, 2: 9}, b={3: 6, 4: 2})
    result = fake_home.materialize("refined_library", refined_library=CONFIG)
    assert result.success
    assert labels(fake_home) == [(f"faceset_00{n}", "auto", "@refined") for n in (1, 2, 3)]
    members = fake_home.library.registry.members()
    assert [len(members[f"faceset_00{n}"]) for n in (1, 2, 3)] == [9, 6, 4]
    states = fake_home.library.registry.decisions("b").group_by("state").len()
    assert dict(states.iter_rows())["small_cluster"] == 2
    assert len(fake_home.library.registry.decisions("a")) == 13
    manifest = json.loads((fake_home.settings.library_dir / "manifest.json").read_text())
    assert [entry["kind"] for entry in manifest["facesets"]] == ["auto"] * 3
    assert fake_home.flaws() == []


def test_the_canonical_min_faces_is_fifteen(fake_home: FakeHome) -> None:
    scanned(fake_home, a={1: 14, 2: 15})
    fake_home.materialize("refined_library")
    assert [len(faces) for faces in fake_home.library.registry.members().values()] == [15]


def test_the_same_again_changes_nothing_and_new_photos_are_refused(fake_home: FakeHome) -> None:
    scanned(fake_home, a={1: 5, 2: 4})
    fake_home.materialize("refined_library", refined_library=CONFIG)
    once = fake_home.files()
    again = fake_home.materialize("refined_library", refined_library=CONFIG)
    assert again.asset_materializations_for_node("refined_library")[0].metadata["unchanged"].value
    assert fake_home.files() == once
    scanned(fake_home, b={3: 5})
    with pytest.raises(Exception, match=r"has 2 numbers already \(up to 2\).*new_library"):
        fake_home.materialize("refined_library", refined_library=CONFIG)
    assert fake_home.files() == once


@pytest.mark.both_databases(fast=True)
def test_a_library_that_discovery_made_is_refused_and_a_new_one_can_stand_beside_it(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 7)
    fake_home.run("a")
    once = fake_home.files()
    with pytest.raises(Exception, match="has 2 numbers already"):
        fake_home.materialize("refined_library", refined_library=CONFIG)
    fake_home.materialize("refined_library", refined_library={**CONFIG, "new_library": "fresh"})
    assert fake_home.files() == once
    beside = beside_it(fake_home)
    assert [name for name, _, _ in labels(beside)] == ["faceset_001", "faceset_002"]
    is_file = beside.settings.database_url.startswith("sqlite")
    assert (fake_home.settings.home / "registry_fresh.db").exists() == is_file
    assert beside.flaws() == []
    assert fake_home.flaws() == []


@pytest.mark.both_databases
def test_a_library_that_is_made_anew_obeys_the_rulings_of_the_old_one(fake_home: FakeHome) -> None:
    three_people(fake_home)
    first, *_, last = faces_of(fake_home, "faceset_001")
    decide(fake_home, lambda ask: ask.split("faceset_001", [{first: None}, {last: None}]))
    decide(fake_home, lambda ask: ask.name("faceset_002", "Berta"))
    decide(fake_home, lambda ask: ask.ignore("faceset_003"))
    obey(fake_home)
    beside = beside_it(fake_home)
    fake_home.materialize("refined_library", refined_library={"min_faces": 1, "new_library": "fresh"})
    ended = beside.library.registry.decisions("a")
    assert ended.filter(pl.col("state") == "ignored").height == 3
    obey(beside)
    assert partition(beside) == partition(fake_home)
    assert {one.label for one in beside.library.registry.identities()} >= {"Berta"}
    assert beside.flaws() == []
    again = fake_home.materialize("refined_library", refined_library={"min_faces": 1, "new_library": "fresh"})
    assert again.asset_materializations_for_node("refined_library")[0].metadata["unchanged"].value


def beside_it(home: FakeHome) -> FakeHome:
    """The same home, for its library `fresh`."""
    return FakeHome(home.settings.model_copy(update={"library_name": "fresh"}), home.instance)


def partition(home: FakeHome) -> list[list[str]]:
    """Members of everybody in use."""
    return sorted(faces_of(home, name) for name in live(home))


def test_discovery_and_extend_go_on_from_a_refined_library(fake_home: FakeHome) -> None:
    scanned(fake_home, a={1: 6, 2: 5})
    fake_home.materialize("refined_library", refined_library=CONFIG)
    write_person(fake_home.buckets / "b", 1, 4, first=8)
    write_person(fake_home.buckets / "b", 3, 7)
    known = fake_home.library.registry.memberships()
    fake_home.run("b", job="full_pipeline")
    fake_home.run("a", job="full_pipeline")
    assert [name for name, _, _ in labels(fake_home)] == ["faceset_001", "faceset_002", "faceset_003"]
    assert known.join(fake_home.library.registry.memberships(), on=["name", "face_id"], how="anti").is_empty()
    assert set(fake_home.library.registry.memberships(bucket="b")["name"]) == {"faceset_001", "faceset_003"}
    assert fake_home.flaws() == []


def test_byte_copies_in_two_buckets_count_once(fake_home: FakeHome) -> None:
    scanned(fake_home, a={1: 4}, b={1: 4})
    fake_home.materialize("refined_library", refined_library=CONFIG)
    assert fake_home.library.registry.memberships()["bucket"].to_list() == ["a"] * 4
    copies = fake_home.library.registry.decisions("b")
    assert copies["state"].unique().to_list() == ["covered"]
    assert copies.filter(pl.col("identity") != "faceset_001").is_empty()
    assert fake_home.flaws() == []


def test_too_many_faces_and_none_are_refused_with_the_reason(fake_home: FakeHome) -> None:
    with pytest.raises(Exception, match="There is no face to refine"):
        fake_home.materialize("refined_library")
    scanned(fake_home, a={1: 4})
    with pytest.raises(Exception, match=r"4 faces are more than max_faces \(3\)"):
        fake_home.materialize("refined_library", refined_library={"max_faces": 3})
    with pytest.raises(Exception, match="cannot name a library"):
        fake_home.materialize("refined_library", refined_library={"new_library": "../evil"})
    assert fake_home.files() == {}


def test_materialize_all_makes_no_fresh_library_and_merges_nobody(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 16)
    chain = ("face_cache", "existing_centroids", "osrc_uncovered", "extended_facesets", "osrc_clusters")
    result = fake_home.materialize(
        *chain,
        "swap_ready_facesets",
        "refined_library",
        "applied_rulings",
        "applied_rulings",
        "top_manifest",
        bucket="a",
    )
    assert result.success
    (fresh,) = result.asset_materializations_for_node("refined_library")
    assert "Nothing was done" in str(fresh.metadata["note"].value)
    assert [(one.name, one.kind) for one in fake_home.library.registry.identities()] == [("faceset_001", "discovered")]

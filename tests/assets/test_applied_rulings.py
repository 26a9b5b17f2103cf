"""Merging: one person gets one name, and later runs keep to it."""

import polars as pl
import pytest

from testing.fake_home import FakeHome
from testing.fakes import write_looks
from testing.merges import LEFT, RIGHT, STRICT, apply, graves, live, manifest, meet, undo

pytestmark = pytest.mark.both_databases


@pytest.mark.both_databases(fast=True)
def test_merging_two_gives_the_keeper_everybody_and_leaves_a_redirect(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    assert apply(fake_home, [two, one]).success
    assert live(fake_home) == [one]
    assert graves(fake_home) == {two: one}
    how = pl.read_parquet(fake_home.settings.library_dir / one / "members.parquet")["joined_by"].to_list()
    assert sorted(how) == ["founded"] * 3 + [f"merged:{two}"] * 3
    assert len(manifest(fake_home, one)["faces"]) == 5
    assert not (fake_home.settings.library_dir / two).exists()
    assert fake_home.flaws() == []


def test_the_same_request_again_changes_nothing(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    before = fake_home.files()
    apply(fake_home, [one, two])
    once = fake_home.files()
    result = apply(fake_home, [one, two])
    assert result.success
    assert fake_home.files() == once
    undo(fake_home, two)
    undo(fake_home, two)
    assert fake_home.files() == before


def test_a_rerun_of_any_bucket_leaves_the_merged_faces_with_the_keeper(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    apply(fake_home, [one, two])
    merged = fake_home.files()
    for bucket in ("b", "a"):
        fake_home.run(bucket, **STRICT)
        fake_home.run(bucket, job="full_pipeline", **STRICT)
    assert fake_home.files() == merged
    members = set(fake_home.library.registry.members()[one])
    for bucket in ("b", "a"):  # other parameters: everything of the bucket is clustered again
        fake_home.run(bucket, osrc_clusters={"min_blur": 41, "min_faces": 3})
        assert live(fake_home) == [one]
        assert set(fake_home.library.registry.members()[one]) == members
        assert fake_home.flaws() == []


def test_two_of_one_bucket_that_were_merged_stay_one_when_it_is_clustered_again(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-1.0, -0.9, -0.8, 0.8, 0.9, 1.0])
    near = {"osrc_clusters": {"cluster_distance": 0.1, "rematch_distance": 0.0, "min_faces": 3}}
    fake_home.run("a", **near)
    one, two = live(fake_home)
    before = fake_home.files()
    apply(fake_home, [one, two])
    fake_home.run("a", osrc_clusters={"cluster_distance": 0.12, "rematch_distance": 0.0, "min_faces": 3})
    assert live(fake_home) == [one]
    assert len(fake_home.library.registry.members()[one]) == 6
    assert fake_home.flaws() == []
    fake_home.run("a", **near)
    undo(fake_home, two)
    assert live(fake_home) == [one, two]
    assert fake_home.flaws() == []
    assert {name for name in fake_home.files() if name.endswith(".png")} == {
        name for name in before if name.endswith(".png")
    }


def test_members_that_joined_the_keeper_later_stay_with_it(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    before = fake_home.files()
    apply(fake_home, [one, two])
    write_looks(fake_home.buckets / "z", 1, [0.2, 0.95])
    fake_home.run("z", job="full_pipeline")
    joined = [face for face, how in fake_home.library.registry.members()[one].items() if how == "extended"]
    assert len(joined) == 2
    undo(fake_home, two)
    assert set(joined) <= set(fake_home.library.registry.members()[one])
    now = fake_home.files()
    mine = {name: data for name, data in before.items() if name.startswith(f"{two}/")}
    assert {name: data for name, data in now.items() if name.startswith(f"{two}/")} == mine
    assert fake_home.flaws() == []
    fake_home.run("b", **STRICT)
    assert fake_home.files() == now

"""Propose, apply, undo: one person gets one name, and everything can be had back byte for byte."""

import itertools

import polars as pl
import pytest

from testing.fake_home import FakeHome
from testing.fakes import write_looks
from testing.merges import LEFT, MIDDLE, RIGHT, STRICT, apply, graves, live, manifest, meet, rows, undo, visible


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


def test_undoing_gives_back_every_byte_and_every_row(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    files, table = fake_home.files(), rows(fake_home)
    apply(fake_home, [one, two])
    assert fake_home.files() != files
    undo(fake_home, two)
    assert fake_home.files() == files
    assert rows(fake_home) == table
    assert fake_home.flaws() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_three_merges_into_one_are_undone_in_any_order(fake_home: FakeHome, order: tuple[int, ...]) -> None:
    one, *others = meet(fake_home, LEFT, MIDDLE, RIGHT, [-0.2, 0.2, 0.6])
    files, table = fake_home.files(), rows(fake_home)
    for other in others:
        apply(fake_home, [one, other])
    for place in order:
        undo(fake_home, others[place])
        assert fake_home.flaws() == []
    assert fake_home.files() == files
    assert rows(fake_home) == table


CHAINS = list(itertools.permutations(range(3)))


@pytest.mark.parametrize("order", CHAINS)
def test_a_chain_of_merges_is_undone_in_any_order(fake_home: FakeHome, order: tuple[int, ...]) -> None:
    one, two, three, four = meet(fake_home, LEFT, MIDDLE, RIGHT, [-0.2, 0.2, 0.6])
    files, table = fake_home.files(), rows(fake_home)
    for group in ([three, four], [two, three], [one, two]):
        apply(fake_home, group)
        assert fake_home.flaws() == []
    assert graves(fake_home) == {four: three, three: two, two: one}
    merged = [four, three, two]
    for place in order:
        undo(fake_home, merged[place])
        assert fake_home.flaws() == []
    assert fake_home.files() == files
    assert rows(fake_home) == table


def test_undoing_one_leaves_what_the_other_alone_would_have_made(fake_home: FakeHome) -> None:
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    apply(fake_home, [one, two])
    only_first = visible(fake_home)
    apply(fake_home, [one, three])
    undo(fake_home, three)
    assert visible(fake_home) == only_first


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


def test_merged_undone_and_merged_again_is_merged(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    before = fake_home.files()
    apply(fake_home, [one, two])
    undo(fake_home, two)
    apply(fake_home, [one, two])
    assert live(fake_home) == [one]
    assert fake_home.flaws() == []
    undo(fake_home, "*")
    assert fake_home.files() == before
    assert fake_home.flaws() == []


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

"""Undoing merges gives everything back, in any order."""

import itertools

import pytest

from testing.fake_home import FakeHome
from testing.merges import LEFT, MIDDLE, RIGHT, apply, graves, live, meet, rows, undo, visible

pytestmark = pytest.mark.both_databases


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


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
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

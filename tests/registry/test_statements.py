"""What a run asks the registry: few statements, none of them a whole table, however large the library is."""

import pytest

from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.statements import reads_whole_table, statements_to

pytestmark = pytest.mark.both_databases

MOST_UNCHANGED, MOST_CHANGED = 61, 125
"""Of a run of the main job, the step that takes in known people's new photos included."""
LOCKS = 12
"""More of a server, whose lock is asked for in statements."""


def test_an_unchanged_run_asks_few_things_and_reads_no_whole_table(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 6)
    write_person(fake_home.buckets / "a", 2, 6, first=6)
    fake_home.run("a")
    with statements_to(fake_home.library.registry) as found:
        fake_home.run("a")
    assert [statement for statement in found if reads_whole_table(statement)] == []
    assert 0 < len(found) <= most(MOST_UNCHANGED, fake_home), "\n".join(found)


def test_a_changed_run_asks_few_things_and_reads_no_whole_table(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 6)
    write_person(fake_home.buckets / "b", 3, 6)
    fake_home.run("b")
    fake_home.run("a")
    write_person(fake_home.buckets / "a", 1, 2, first=20)
    write_person(fake_home.buckets / "a", 2, 6, first=30)
    with statements_to(fake_home.library.registry) as found:
        fake_home.run("a")
    assert [statement for statement in found if reads_whole_table(statement)] == []
    assert 0 < len(found) <= most(MOST_CHANGED, fake_home), "\n".join(found)
    assert [identity.name for identity in fake_home.library.snapshot().live()] == [
        "faceset_001",
        "faceset_002",
        "faceset_003",
    ]


def test_a_read_without_a_condition_is_known_as_one_of_a_whole_table() -> None:
    assert reads_whole_table("SELECT members.name FROM members ORDER BY members.name")
    assert not reads_whole_table("SELECT members.name FROM members WHERE members.bucket = ?")
    assert not reads_whole_table("SELECT max(numbers.number) AS max_1 FROM numbers")


def most(statements: int, home: FakeHome) -> int:
    return statements + (0 if home.library.registry.engine.dialect.name == "sqlite" else LOCKS)

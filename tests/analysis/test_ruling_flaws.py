"""`facesets verify` on rulings: an upgraded registry of schema 1 is sound, and what is tampered with is found."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from facesets_dagster.analysis.ruling_flaws import ruling_flaws
from facesets_dagster.library.library import Library
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import open_registry
from testing.fake_home import FakeHome
from testing.paths import REPOSITORY

_SCHEMA_1 = REPOSITORY / "tests" / "registry" / "schema_1" / "registry.sql"


@pytest.fixture
def ruled(fake_home: FakeHome) -> FakeHome:
    """Merges, names and a rejected proposal, as rulings that the library obeys."""
    file = Path(str(sa.make_url(fake_home.settings.database_url).database))
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(_SCHEMA_1.read_text())
    return fake_home


def told(home: FakeHome, *statements: sa.Executable) -> list[str]:
    """What is off after somebody wrote this into the registry."""
    # Taken by itself: the facesets of this registry lie nowhere.
    library = Library(home.settings.library_dir, open_registry(home.settings.database_url), ())
    with library.registry.engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    return [flaw.what for flaw in ruling_flaws(library)]


def test_what_the_rulings_say_is_no_flaw(ruled: FakeHome) -> None:
    assert told(ruled) == []


def test_a_home_without_rulings_has_none(fake_home: FakeHome) -> None:
    assert told(fake_home) == []


def test_a_member_that_is_missing_is_found(ruled: FakeHome) -> None:
    brought = t.members.c.joined_by == "merged:faceset_002"
    assert told(ruled, sa.delete(t.members).where(brought)) == [
        "3 members of faceset_001 are not as the rulings have it"
    ]


def test_a_name_that_no_ruling_gave_is_found(ruled: FakeHome) -> None:
    this = sa.update(t.identities).where(t.identities.c.name == "faceset_008")
    assert told(ruled, this.values(label="Zoe")) == ["the name of faceset_008 is not the one that the rulings give"]


def test_a_merge_that_the_library_forgot_is_found(ruled: FakeHome) -> None:
    stone = sa.update(t.tombstones).where(t.tombstones.c.name == "faceset_003")
    assert told(ruled, stone.values(merged_into="faceset_004")) == [
        "faceset_003 is merged by the rulings, the library says otherwise"
    ]


def test_members_without_rulings_of_somebody_whom_none_touches_are_found(ruled: FakeHome) -> None:
    row = {"name": "faceset_009", "bucket": "g", "face_id": "x", "joined_by": "founded", "run_id": ""}
    assert told(ruled, sa.insert(t.unruled_members).values(**row)) == [
        "members without rulings are on record of faceset_009, which none touches"
    ]


def test_rulings_that_contradict_each_other_are_found(ruled: FakeHome) -> None:
    back = sa.update(t.rulings).where(t.rulings.c.kind == "same", t.rulings.c.state == "undone")
    names = sa.update(t.ruling_names).where(t.ruling_names.c.name == "faceset_009")
    (flaw,) = told(ruled, names.values(name="faceset_001"), back.values(state="in_force"))
    assert flaw.startswith("These rulings contradict each other: ")

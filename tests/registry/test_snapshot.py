"""A snapshot is the registry at one generation: given out again, brought up, and never that of another registry."""

import os
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import DECISION_SCHEMA, Registry, open_registry
from facesets_dagster.registry.schema import next_generation
from testing.labels import give_label
from testing.statements import statements_to

pytestmark = pytest.mark.both_databases


def publish(registry: Registry, *names: str, bucket: str = "a", **values: object) -> None:
    """A generation in which these are founded, or changed where they exist."""
    with registry.engine.begin() as connection:
        generation = next_generation(connection)
        for number, name in enumerate(names, start=generation * 10):
            row = {"number": number, "kind": "discovered", "bucket": bucket, "live": True, "founded": generation}
            row |= {"centroid": np.ones(4, np.float32).tobytes(), "run_id": f"run {generation}", **values}
            if connection.execute(sa.update(t.identities).where(t.identities.c.name == name).values(**values)).rowcount:
                continue
            connection.execute(sa.insert(t.identities).values(name=name, **row))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(f"sqlite:///{tmp_path / 'registry.db'}")


def test_the_same_snapshot_is_given_until_something_is_published_or_named(registry: Registry) -> None:
    publish(registry, "faceset_001")
    first = registry.snapshot()
    assert registry.snapshot() is first
    give_label(registry, "faceset_001", "Anna")
    second = registry.snapshot()
    assert second is not first
    assert [one.label for one in first.named(["faceset_001"]).values()] == ["Anna"]  # it had not read them yet
    assert [one.label for one in second.identities()] == ["Anna"]


def test_a_list_that_was_read_is_brought_up_by_what_changed(registry: Registry) -> None:
    publish(registry, "faceset_001", "faceset_002")
    before = registry.snapshot().identities()
    publish(registry, "faceset_003")
    publish(registry, "faceset_002", live=False)
    with statements_to(registry) as found:
        after = registry.snapshot().identities()
    assert [(one.name, one.live) for one in after] == [
        ("faceset_001", True),
        ("faceset_002", False),
        ("faceset_003", True),
    ]
    assert after[0] is before[0]
    assert all("WHERE" in statement for statement in found)


def test_an_era_without_a_label_has_its_parents_also_after_the_parent_got_one(registry: Registry) -> None:
    publish(registry, "faceset_001")
    publish(registry, "faceset_001_era_2010-2012", kind="era", parent="faceset_001")
    state = registry.snapshot().state
    assert registry.snapshot().identities()[1].label is None
    give_label(registry, "faceset_001", "Anna")
    known = registry.snapshot()
    assert [one.label for one in known.identities()] == ["Anna", "Anna"]
    assert [one.name for one in known.changed_since(state) or []] == ["faceset_001", "faceset_001_era_2010-2012"]


def test_after_a_release_without_marks_everything_is_read_again(registry: Registry) -> None:
    publish(registry, "faceset_001")
    state, known = registry.snapshot().state, registry.snapshot().identities()
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '2' WHERE key = 'generation'")
        connection.exec_driver_sql("UPDATE identities SET label = 'Anna'")
    assert registry.snapshot().changed_since(state) is None
    assert [one.label for one in registry.snapshot().identities()] == ["Anna"]
    publish(registry, "faceset_002")
    assert registry.snapshot().changed_since(state) is None
    assert known[0].label is None


def test_a_registry_that_was_restored_is_another_one_although_it_counts_on(registry: Registry, tmp_path: Path) -> None:
    publish(registry, "faceset_001")
    backup = (tmp_path / "registry.db").read_bytes()
    publish(registry, "faceset_002")
    assert len(registry.snapshot().identities()) == 2
    state = registry.snapshot().state
    (tmp_path / "registry.db").write_bytes(backup)
    publish(registry, "faceset_003")
    restored = registry.snapshot()
    assert restored.generation == state.generation
    assert [one.name for one in restored.identities()] == ["faceset_001", "faceset_003"]
    assert restored.changed_since(state) is None


def test_a_home_that_was_removed_and_made_anew_in_one_process_has_its_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    publish(open_registry(url), "faceset_001")
    assert len(open_registry(url).snapshot().identities()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "registry.db",
        "registry.db.lock",
    ]  # at rest: no journal
    os.remove(tmp_path / "registry.db")
    assert open_registry(url).snapshot().identities() == ()
    assert open_registry(url) is open_registry(url)


def test_a_home_of_an_older_release_gets_indexes_and_columns_and_keeps_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    publish(open_registry(url), "faceset_001")
    with Registry(url).engine.begin() as connection:
        for index in ("ix_members_bucket", "ix_members_face_id", "ix_identities_changed", "ix_identities_number_kind"):
            connection.exec_driver_sql(f"DROP INDEX {index}")
        connection.exec_driver_sql("ALTER TABLE identities DROP COLUMN changed")
        connection.exec_driver_sql("ALTER TABLE decisions DROP COLUMN ruling")
        connection.exec_driver_sql("DROP TABLE generations")
        connection.exec_driver_sql("DELETE FROM meta WHERE key = 'layout'")
    registry = Registry(url)
    registry.create()
    indexes = {index["name"] for index in sa.inspect(registry.engine).get_indexes("members")}
    assert indexes == {"ix_members_bucket", "ix_members_face_id"}
    assert [one.name for one in registry.snapshot().identities()] == ["faceset_001"]
    assert registry.generation() == 1
    assert registry.decisions("2019").schema == DECISION_SCHEMA

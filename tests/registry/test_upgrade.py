"""A registry of schema 1, as the release before schema 2 made it, becomes one of schema 2.

`schema_1/undone.json`: members and labels as that release left them after each choice of merges was undone.
"""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.planner import changes_now
from facesets_dagster.publishing.rulings.standing import standing
from facesets_dagster.publishing.rulings.writing import require_consistent
from facesets_dagster.registry import schema
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import make_engine
from facesets_dagster.registry.registry import Registry, open_registry
from facesets_dagster.registry.ruled import kept_folders, stood_before, touched_identities
from facesets_dagster.registry.rulings import all_rulings, unpublished_rulings
from testing.fake_home import FakeHome

_HERE = Path(__file__).parent / "schema_1"
_DIES = """
import os, signal, sys
from facesets_dagster.registry import upgrade
from facesets_dagster.registry.dialect import make_engine
from facesets_dagster.registry.registry import Registry, open_registry
setattr(upgrade, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
Registry(sys.argv[1]).create()
"""


def write_schema_1(file: Path) -> None:
    """The registry of the release before schema 2."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((_HERE / "registry.sql").read_text())


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def copy_schema_1(file: Path, url: str) -> None:
    """The registry of that file, in a database on a server."""
    known = sa.MetaData()
    with sa.create_engine(f"sqlite:///{file}").connect() as source, make_engine(url).begin() as target:
        known.reflect(source)
        for column in (column for table in known.sorted_tables for column in table.columns):
            if isinstance(column.type, sa.BLOB):
                column.type = sa.LargeBinary()
        known.create_all(target)
        for table in known.sorted_tables:
            rows = [dict(row) for row in source.execute(sa.select(table)).mappings()]
            if rows:
                target.execute(sa.insert(table), rows)
        for name, key in (("identities", "identity_id"), ("merges", "merge_id")):
            sequence = f"pg_get_serial_sequence('{name}', '{key}')"
            target.exec_driver_sql(f"SELECT setval({sequence}, (SELECT max({key}) FROM {name}))")


@pytest.fixture
def old_home(fake_home: FakeHome, tmp_path: Path) -> FakeHome:
    url = fake_home.settings.database_url
    if url.startswith("sqlite"):
        write_schema_1(Path(str(sa.make_url(url).database)))
    else:
        write_schema_1(tmp_path / "old.db")
        copy_schema_1(tmp_path / "old.db", url)
    return fake_home


def library_of(home: FakeHome) -> Library:
    """The registry alone: no faceset lies beside it, so `home.library` would refuse it."""
    return Library(home.settings.library_dir, open_registry(home.settings.database_url), ())


def said(ruling: Ruling) -> tuple[str, tuple[str, ...], str]:
    return ruling.kind, tuple(ruling.names.values()), ruling.state


@pytest.mark.both_databases(fast=True)
def test_merges_rejected_proposals_and_names_by_hand_are_rulings(old_home: FakeHome) -> None:
    registry = library_of(old_home).registry
    found = all_rulings(registry)
    assert [said(ruling) for ruling in found] == [
        ("name", ("faceset_002",), "in_force"),
        ("name", ("faceset_008",), "in_force"),
        ("same", ("faceset_002", "faceset_001"), "in_force"),
        ("same", ("faceset_003", "faceset_001"), "in_force"),
        ("same", ("faceset_005", "faceset_004"), "in_force"),
        ("same", ("faceset_009", "faceset_008"), "undone"),
        ("same", ("faceset_007", "faceset_006"), "in_force"),
        ("different", ("faceset_001", "faceset_008"), "in_force"),
    ]
    assert [ruling.text("text") for ruling in found[:2]] == ["Berta", "Carla"]
    assert {ruling.via for ruling in found} == {"job"}
    assert len({ruling.ruling_id for ruling in found}) == len(found)
    for ruling in found:
        assert all(face.face_id.startswith(face.photo_sha256) and not face.photo_width for face in ruling.faces)
        assert {face.role for face in ruling.faces} == set(ruling.names)
    undone = found[5]
    assert undone.undone_by is not None
    assert undone.undone_at == undone.made_at
    assert unpublished_rulings(registry) == ()
    require_consistent(library_of(old_home), [ruling for ruling in found if ruling.state == "in_force"])


@pytest.mark.both_databases(fast=True)
def test_nothing_is_to_be_changed_in_the_library_afterwards(old_home: FakeHome) -> None:
    changes = changes_now(library_of(old_home))
    assert changes.are_none()
    assert changes.after.touched == touched_identities(library_of(old_home).registry)


@pytest.mark.both_databases
def test_every_choice_of_undone_merges_gives_what_the_older_release_made_of_it(old_home: FakeHome) -> None:
    now = standing(library_of(old_home))
    behind = {ruling.names["a"]: ruling for ruling in now.rulings if ruling.kind == "same"}
    states = json.loads((_HERE / "undone.json").read_text())
    assert len(states) == 2 ** len(behind)
    for undone, state in states.items():
        gone = {behind[name].ruling_id for name in undone.split()}
        after = now.projected([ruling for ruling in now.rulings if ruling.ruling_id not in gone], 10)
        members = {name: {face: list(row) for face, row in rows.items()} for name, rows in after.members.items()}
        assert members == state["members"]
        people = {name: label for name, label in state["labels"].items() if "_era_" not in name}
        assert {name: after.labels[name] for name in people} == people


@pytest.mark.both_databases
def test_names_can_be_taken_back_though_the_older_release_kept_no_other(old_home: FakeHome) -> None:
    now = standing(library_of(old_home))
    after = now.projected([ruling for ruling in now.rulings if ruling.kind != "name"], 10)
    assert {name: after.labels[name] for name in ("faceset_001", "faceset_002", "faceset_008")} == {
        "faceset_001": None,
        "faceset_002": None,
        "faceset_008": None,
    }


def test_records_and_kept_folders_come_along(old_home: FakeHome) -> None:
    file = Path(str(sa.make_url(old_home.settings.database_url).database))
    with closing(sqlite3.connect(file)) as connection:
        archives = {*connection.execute("SELECT name, manifest_sha256 FROM merge_archives")}
        entries = dict(connection.execute("SELECT name, entry FROM merge_records"))
    registry = library_of(old_home).registry
    records = stood_before(registry)
    assert kept_folders(registry) == archives != set()
    assert entries.items() <= {name: one.entry and one.entry.first for name, one in records.items()}.items()
    assert {name: records[name].label for name in ("faceset_006", "faceset_007", "faceset_001", "faceset_002")} == {
        "faceset_006": "Doro a",
        "faceset_007": "Doro b",
        "faceset_001": None,
        "faceset_002": None,
    }
    with registry.engine.connect() as connection:
        assert not {"merge_records", "merge_archives", "rejected_merges"} & {*sa.inspect(connection).get_table_names()}


def test_the_file_as_it_was_is_kept_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    write_schema_1(file)
    before = dump(file)
    Registry(f"sqlite:///{file}").create()
    assert dump(tmp_path / "registry.db.schema1") == before
    assert {path.name for path in tmp_path.iterdir()} <= {"registry.db", "registry.db.lock", "registry.db.schema1"}
    upgraded = dump(file)
    Registry(f"sqlite:///{file}").create()
    assert dump(file) == upgraded


@pytest.mark.parametrize("step", ["sync_folder", "insert_rulings", "_write_base", "_write_records", "_rows"])
def test_an_upgrade_that_is_killed_leaves_schema_1_and_is_made_by_the_next(tmp_path: Path, step: str) -> None:
    file = tmp_path / "registry.db"
    write_schema_1(file)
    before, url = dump(file), f"sqlite:///{file}"
    done = subprocess.run([sys.executable, "-c", _DIES, url, step], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert dump(file) == before
    Registry(url).create()
    assert len(all_rulings(Registry(url))) == 8
    assert dump(tmp_path / "registry.db.schema1") == before


def test_two_processes_that_open_it_at_one_moment_upgrade_it_once(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    write_schema_1(file)
    opens = "import sys; from facesets_dagster.registry.registry import Registry; Registry(sys.argv[1]).create()"
    command = [sys.executable, "-c", opens, f"sqlite:///{file}"]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for child in children:
        _, error = child.communicate()
        assert child.returncode == 0, error
    assert len(all_rulings(Registry(f"sqlite:///{file}"))) == 8


def test_a_registry_of_an_older_layout_of_schema_1_knows_no_merges(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    write_schema_1(file)
    with closing(sqlite3.connect(file)) as connection:
        for table in ("merge_records", "merge_archives", "rejected_merges", "merges"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'layout'")
        connection.commit()
    registry = Registry(f"sqlite:///{file}")
    registry.create()
    assert {ruling.kind for ruling in all_rulings(registry)} == {"name"}


def test_a_release_refuses_a_registry_of_a_later_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    registry.create()
    before = dump(tmp_path / "registry.db")
    monkeypatch.setattr(t, "SCHEMA_VERSION", "1")  # as the release before does
    monkeypatch.setattr(t, "LAYOUT", "4")
    monkeypatch.setattr(schema, "_BEFORE", None)
    with pytest.raises(LibraryCorrupt, match=r"schema version 2, this release reads 1.*Nothing was changed"):
        Registry(f"sqlite:///{tmp_path / 'registry.db'}").create()
    assert dump(tmp_path / "registry.db") == before

"""Homes that earlier states of the release wrote (`homes/`: two made-up people, crops of 64 px) are brought up to it.

Their photos are drawn again by `write_person`, byte for byte.
"""

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from facesets_dagster.errors import LibraryCorrupt, SettingsError
from facesets_dagster.files.states import file_states
from facesets_dagster.home import pack_on_record
from facesets_dagster.library.pair import read_mark
from facesets_dagster.publishing.upgrading import upgrade, upgrade_steps
from testing.fake_home import FakeHome
from testing.fakes import write_person

_HOMES = Path(__file__).parent / "homes"
HOMES = sorted(path.name.removesuffix(".tar.xz") for path in _HOMES.glob("*.tar.xz"))
_SMALL = {"swap_ready_facesets": {"crop_px": 64}}


@pytest.fixture
def old_home(fake_home: FakeHome, request: pytest.FixtureRequest) -> FakeHome:
    with tarfile.open(_HOMES / f"{request.param}.tar.xz") as archive:
        archive.extractall(fake_home.settings.home, filter="data")
    for person, bucket in enumerate("ab", start=1):
        write_person(fake_home.buckets / bucket, person, 6)
    return fake_home


def states(home: FakeHome) -> dict[str, tuple[int, int, int, int]]:
    return file_states([home.settings.library_dir, home.settings.home / "registry.db"])


@pytest.mark.parametrize("old_home", HOMES, indirect=True)
def test_a_home_is_brought_up_and_no_faceset_changes(old_home: FakeHome) -> None:
    before, files = states(old_home), old_home.files()
    steps = upgrade_steps(old_home.settings)
    assert any("get one id" in step for step in steps)
    assert states(old_home) == before

    assert upgrade(old_home.settings, lambda _: None) == steps
    assert old_home.files() == files
    assert old_home.flaws() == []
    mark = read_mark(old_home.settings.library_dir)
    assert mark is not None
    assert mark.state == old_home.library.registry.state()
    assert upgrade(old_home.settings, lambda _: None) == []
    for bucket in "ab":
        old_home.run(bucket, **_SMALL)
    assert old_home.flaws() == []
    names = [(one.name, one.live) for one in old_home.library.registry.identities()]
    assert names == [("faceset_001", True), ("faceset_002", True)]


@pytest.mark.parametrize("old_home", ["schema_1"], indirect=True)
def test_the_old_registry_is_kept_beside_the_new_one(old_home: FakeHome) -> None:
    file = old_home.settings.home / "registry.db"
    with closing(sqlite3.connect(file)) as connection:
        before = list(connection.iterdump())
    assert upgrade_steps(old_home.settings)[0].startswith(
        "The registry becomes one of schema 2 (it is one of schema 1)"
    )
    upgrade(old_home.settings, lambda _: None)
    with closing(sqlite3.connect(file.with_name("registry.db.schema1"))) as connection:
        assert list(connection.iterdump()) == before


@pytest.mark.parametrize("old_home", ["schema_2"], indirect=True)
def test_a_newer_home_is_refused_as_it_is(old_home: FakeHome) -> None:
    record = old_home.settings.home / "home.json"
    text = record.read_text()
    record.write_text(json.dumps({**json.loads(text), "schema_version": 2}))
    with pytest.raises(SettingsError, match=r"has another schema than 1\. Use the release that wrote it"):
        pack_on_record(old_home.settings)
    record.write_text(text)
    with closing(sqlite3.connect(old_home.settings.home / "registry.db")) as connection:
        connection.execute("UPDATE meta SET value = '3' WHERE key = 'schema_version'")
        connection.commit()
    before = states(old_home)
    for look in (lambda: upgrade_steps(old_home.settings), lambda: old_home.library):
        with pytest.raises(LibraryCorrupt, match="has schema version 3, this release reads 2"):
            look()
    assert states(old_home) == before

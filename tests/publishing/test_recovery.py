"""A registry that is lost, old, damaged or another library's is refused before any write, and rebuilt by `recover`."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from facesets_dagster.errors import FacesetsError, LibraryCorrupt, LibraryUnpaired
from facesets_dagster.files.states import file_states
from facesets_dagster.library.pair import mark_file, read_mark
from facesets_dagster.publishing.recovery.recovery import Recovery, recover, recovery, restore
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.backups import backups_of
from testing.fake_home import FakeHome
from testing.fakes import write_person


def three_people(home: FakeHome) -> None:
    for person, bucket in enumerate("abc", start=1):
        write_person(home.buckets / bucket, person, 6)
        home.run(bucket)


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(three_people)
    return fake_home


def lose(home: FakeHome) -> None:
    """SQLite's file is deleted; on a server the tables are dropped."""
    registry = home.library.registry
    file = registry.engine.url.database
    if registry.engine.dialect.name == "sqlite":
        for ending in ("", "-wal", "-shm"):
            Path(f"{file}{ending}").unlink(missing_ok=True)
        return
    t.metadata.drop_all(registry.engine)
    registry.checked = None
    registry.paired.clear()


def empty(home: FakeHome) -> None:
    lose(home)
    (home.settings.home / "registry.db").touch()


def rebuild(home: FakeHome) -> Recovery:
    return recover(home.settings.library_dir, home.settings.database_url, lambda _: None)


def people(home: FakeHome) -> list[tuple[str, int, str, str | None, str | None, bool]]:
    known = home.library.registry.identities()
    return [(one.name, one.number, one.kind, one.label, one.parent, one.live) for one in known]


def states(home: FakeHome) -> dict[str, tuple[int, int, int, int]]:
    found = file_states([home.settings.library_dir])
    return {path: state for path, state in found.items() if "/.lock" not in path}


@pytest.mark.both_databases
@pytest.mark.parametrize("harm", [lose, empty])
def test_a_lost_registry_is_refused_before_any_write_and_rebuilt(
    home: FakeHome, harm: Callable[[FakeHome], None]
) -> None:
    if harm is empty and not home.settings.database_url.startswith("sqlite"):
        pytest.skip("a file")
    before, known, members, files = states(home), people(home), home.library.registry.members(), home.files()
    decisions = {bucket: home.library.registry.decisions(bucket) for bucket in "abc"}
    found = read_mark(home.settings.library_dir)
    assert found is not None
    harm(home)
    with pytest.raises(LibraryUnpaired, match=r"faceset_001.*knows none.*facesets recover --dry-run"):
        home.library.snapshot()
    write_person(home.buckets / "new", 4, 6)
    assert not home.run("new", raise_on_error=False).success
    assert not (home.settings.cache_dir / "faces" / "new").exists()
    assert states(home) == before

    foreseen = recovery(home.settings.library_dir, home.settings.database_url)
    assert (foreseen.rows.live, len(foreseen.rows.bucket_runs)) == (3, 3)
    assert states(home) == before
    rebuild(home)
    assert states(home) == before
    assert (people(home), home.library.registry.members()) == (known, members)
    for bucket, table in decisions.items():
        assert home.library.registry.decisions(bucket).equals(table)
    assert home.flaws() == []
    shutil.rmtree(home.buckets / "new")
    for bucket in "abc":
        home.run(bucket)
    assert home.files() == files
    assert home.library.registry.state() == found.state


def test_nothing_is_rebuilt_where_registry_and_library_fit(home: FakeHome) -> None:
    before = (home.settings.home / "registry.db").read_bytes()
    assert rebuild(home).why == ""
    assert (home.settings.home / "registry.db").read_bytes() == before


def test_new_people_get_new_numbers_after_a_recovery(home: FakeHome) -> None:
    lose(home)
    rebuild(home)
    write_person(home.buckets / "new", 4, 6)
    home.run("new")
    assert [name for name, *_ in people(home)][-1] == "faceset_004"
    assert home.flaws() == []


def test_the_registry_of_another_home_is_refused(home: FakeHome, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with (
        closing(sqlite3.connect(home.settings.home / "registry.db")) as source,
        closing(sqlite3.connect(other)) as copy,
    ):
        source.backup(copy)
        copy.execute("UPDATE meta SET value = 'another' WHERE key = 'library_id'")
        copy.commit()
    home.settings = home.settings.model_copy(update={"server_url": f"sqlite:///{other}"})
    with pytest.raises(LibraryUnpaired, match="belongs to the library another"):
        home.library.snapshot()


def test_two_homes_on_one_registry_are_refused(home: FakeHome, tmp_path: Path) -> None:
    second = tmp_path / "second"
    (second / "buckets" / "b").mkdir(parents=True)
    same = {"server_url": home.settings.database_url}
    home.settings = home.settings.model_copy(update={"home": second, "bucket_roots": (second / "buckets",), **same})
    write_person(second / "buckets" / "b", 2, 6)
    assert not home.run("b", raise_on_error=False).success
    with pytest.raises(LibraryUnpaired, match="holds none of them"):
        home.library.snapshot()
    assert not (second / "facesets_swap_ready").exists()


def test_an_older_copy_of_the_registry_is_refused(home: FakeHome) -> None:
    file = home.settings.home / "registry.db"
    old = file.read_bytes()
    write_person(home.buckets / "new", 4, 6)
    home.run("new")
    file.write_bytes(old)
    with pytest.raises(LibraryUnpaired, match=r"is at generation \d+, the library was brought up to generation \d+"):
        home.library.snapshot()
    rebuild(home)
    assert [name for name, *_ in people(home)] == [f"faceset_{number:03d}" for number in (1, 2, 3, 4)]
    assert home.flaws() == []


def test_a_copy_is_restored_if_it_is_of_the_library_as_it_stands(home: FakeHome) -> None:
    url, folder = home.settings.database_url, home.settings.library_dir
    copies = backups_of(home.library.registry)
    known = people(home)
    lose(home)
    with pytest.raises(LibraryUnpaired, match="does not fit the library"):
        restore(folder, url, copies[1].name, print)
    with pytest.raises(LibraryUnpaired, match="There is no copy 'x'"):
        restore(folder, url, "x", print)
    assert not (home.settings.home / "registry.db").exists()
    restore(folder, url, "latest", print)
    assert people(home) == known
    assert home.flaws() == []
    before = home.files()
    home.run("a")
    assert home.files() == before


@pytest.mark.parametrize("data", [b"\x00" * 5000, b"no database at all\n" * 400], ids=["zeros", "text"])
def test_a_damaged_registry_is_a_sentence_and_is_rebuilt(home: FakeHome, data: bytes) -> None:
    known = people(home)
    file = home.settings.home / "registry.db"
    lose(home)
    file.write_bytes(data)
    with pytest.raises(LibraryCorrupt, match=r"registry\.db is damaged.*facesets recover"):
        home.library.snapshot()
    found = rebuild(home)
    assert found.kept is not None
    assert found.kept.read_bytes() == data
    assert people(home) == known


def test_damage_in_the_middle_of_the_registry_is_a_sentence(home: FakeHome) -> None:
    home.library.snapshot()
    file = home.settings.home / "registry.db"
    data = bytearray(file.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    file.write_bytes(bytes(data))
    with pytest.raises(FacesetsError, match="recover"):
        home.library.registry.identities()
    assert rebuild(home).why
    assert home.flaws() == []


def test_a_pair_of_an_older_release_gets_its_id_with_the_next_publication(home: FakeHome) -> None:
    make_older(home)
    before = home.files()
    home.run("a")
    assert home.files() == before
    mark = read_mark(home.settings.library_dir)
    assert mark is not None
    assert mark.state == home.library.registry.state()


def make_older(home: FakeHome) -> None:
    """As the release before left it."""
    home.library.snapshot()
    shutil.rmtree(mark_file(home.settings.library_dir).parent)
    with closing(sqlite3.connect(home.settings.home / "registry.db")) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'library_id'")
        connection.commit()


def test_a_library_of_an_older_release_is_rebuilt_from_its_facesets_alone(home: FakeHome) -> None:
    known, files = people(home), home.files()
    make_older(home)
    lose(home)
    with pytest.raises(LibraryUnpaired, match="knows none"):
        home.library.snapshot()
    found = rebuild(home)
    assert any("nothing is noted of these buckets" in line for line in found.unknown)
    assert people(home) == known
    assert home.flaws() == []
    for bucket in "abc":
        home.run(bucket)
    assert home.files() == files
    assert home.flaws() == []


def test_a_library_that_is_not_there_is_refused(home: FakeHome) -> None:
    shutil.move(home.settings.library_dir, home.settings.home / "elsewhere")
    with pytest.raises(LibraryUnpaired, match=r"holds none of them.*not mounted"):
        home.library.snapshot()
    assert not home.settings.library_dir.exists()


def test_the_mark_may_be_lost_but_not_broken(home: FakeHome) -> None:
    path = mark_file(home.settings.library_dir)
    mark = read_mark(home.settings.library_dir)
    path.write_text("[" * 200_000)
    with pytest.raises(LibraryCorrupt, match=r"library\.json cannot be read.*delete it"):
        home.library.snapshot()
    path.write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(LibraryCorrupt, match="A newer release wrote this library"):
        home.library.snapshot()
    path.unlink()
    home.run("a")
    assert read_mark(home.settings.library_dir) == mark

"""A second publication of the same: not a byte, a time or an inode of a faceset moves."""

from pathlib import Path

import pytest

from facesets_dagster.files.states import State, file_states
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_person


def states(home: FakeHome) -> dict[str, State]:
    """Size, times and inode of every file of the library but its lock and the folder of work under way."""
    folders = [path for path in home.settings.library_dir.iterdir() if not path.name.startswith(".")]
    return file_states(folders)


def test_a_faceset_that_did_not_change_is_not_written_again(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 8)
    fake_home.run("a")
    before = states(fake_home)
    assert len([path for path in before if path.endswith(".png")]) >= 4
    fake_home.run("a")
    assert states(fake_home) == before
    assert fake_home.flaws() == []


def test_news_of_one_person_write_nothing_of_the_others(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 8)
    fake_home.run("a")
    before = states(fake_home)
    write_person(fake_home.buckets / "a", 3, 8)
    fake_home.run("a")
    after = states(fake_home)
    library = fake_home.settings.library_dir
    changed = {Path(path).relative_to(library).parts[0] for path in before if before[path] != after.get(path)}
    assert changed <= {"manifest.json", "_registry"}
    assert {Path(path).relative_to(library).parts[0] for path in after.keys() - before.keys()} == {"faceset_003"}


def test_pictures_and_archives_are_the_same_however_many_threads_make_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for threads in (1, 5):
        monkeypatch.setattr("facesets_dagster.threads.cores", lambda threads=threads: threads)
        with fake_home_in(tmp_path / str(threads)) as home:
            write_person(home.buckets / "a", 1, 9)
            write_person(home.buckets / "a", 2, 9)
            home.run("a")
            assert home.flaws() == []
            made.append({path: data for path, data in home.files().items() if path.endswith((".png", ".fsz", ".npz"))})
    assert made[0] == made[1]
    assert len(made[0]) >= 10

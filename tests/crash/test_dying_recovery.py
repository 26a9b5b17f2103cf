"""A recovery that dies before any of its durable steps leaves what lay there, or nothing; the next one does it all."""

import shutil
from pathlib import Path

import pytest

from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.errors import LibraryError
from facesets_dagster.library.library import Library, open_library
from facesets_dagster.library.ruling_log import as_line
from facesets_dagster.library.verification import verify_library
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rulings import all_rulings
from testing.fakes import write_person
from tests.crash.die_at import KILLED, run_dying
from tests.crash.snapshots import snapshot


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, and a registry whose file and journal are rubbish."""
    home = tmp_path_factory.mktemp("damaged") / "home"
    for person, bucket in enumerate("ab", start=1):
        write_person(home / "buckets" / bucket, person, 6)
        assert run_dying(home, "discover_identities", bucket, 0).returncode == 0
    for ending in ("", "-wal", "-shm"):
        (home / f"registry.db{ending}").write_bytes(b"rubbish" * 1000)
    return home


def test_a_recovery_that_dies_at_any_step_is_done_by_the_next(damaged: Path, tmp_path: Path) -> None:
    counted = tmp_path / "counted"
    shutil.copytree(damaged, counted, copy_function=shutil.copy2)
    done = run_dying(counted, "recover", "-", 0)
    assert done.returncode == 0, done.stdout[-2000:]
    steps = int(done.stdout.split()[-1])
    assert steps >= 3
    for fatal in range(1, steps + 1):
        home = tmp_path / f"home {fatal}"
        shutil.copytree(damaged, home, copy_function=shutil.copy2)
        before = snapshot(home / "facesets_swap_ready")
        assert run_dying(home, "recover", "-", fatal).returncode == KILLED
        folder, url = home / "facesets_swap_ready", f"sqlite:///{home / 'registry.db'}"
        with pytest.raises(LibraryError, match="facesets recover"):
            open_library(folder, url)
        again = run_dying(home, "recover", "-", 0)
        assert again.returncode == 0, again.stdout[-2000:]
        library = Library(folder, Registry(url), ())
        assert [one.name for one in library.registry.identities()] == ["faceset_001", "faceset_002"]
        assert verify_library(library) == []
        assert snapshot(folder) == before
        shutil.rmtree(home)


@pytest.mark.slow
def test_rulings_and_who_is_out_of_use_come_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for person, bucket in enumerate("abcde", start=1):
        write_person(home / "buckets" / bucket, person, 6)
        assert run_dying(home, "discover_identities", bucket, 0).returncode == 0
    assert run_dying(home, "decide", "-", 0).returncode == 0
    folder, url = home / "facesets_swap_ready", f"sqlite:///{home / 'registry.db'}"
    known, before = all_rulings(open_library(folder, url).registry), snapshot(folder)
    assert known
    for path in home.glob("registry.db*"):
        path.unlink()
    assert run_dying(home, "recover", "-", 0).returncode == 0
    library = Library(folder, Registry(url), ())
    assert [as_line(one) for one in all_rulings(library.registry)] == [as_line(one) for one in known]
    assert [one.published for one in all_rulings(library.registry)] == [one.published for one in known]
    assert every_flaw(library) == []
    for bucket in "abcde":
        assert run_dying(home, "discover_identities", bucket, 0).returncode == 0
    assert snapshot(folder) == before
    assert run_dying(home, "take_back", "-", 0).returncode == 0
    assert every_flaw(Library(folder, Registry(url), ())) == []

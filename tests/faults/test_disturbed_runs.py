"""What a disk, a mount, another user, a locked database or a person does to a run while it works.

It costs the run, or the photos that could not be read: the user reads a sentence, the library stays sound, what was
published stays as it was, and the next run that is not disturbed makes the library that an undisturbed one makes.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from testing.disturbed import DisturbedHome, disturbed_home
from testing.fakes import write_person
from tests.crash.snapshots import snapshot
from tests.faults.disturbances import NOBODY

pytestmark = [pytest.mark.faults, pytest.mark.slow]
by_root = pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="takes root on Linux")
NOW_AND_THEN = "tests.faults.disturbances"


@pytest.fixture(scope="module")
def start() -> Iterator[DisturbedHome]:
    """A home in which the next run founds one person and changes another; where other users come too."""
    folder = Path(tempfile.mkdtemp(prefix="facesets-disturbed-"))
    folder.chmod(0o755)
    home = disturbed_home(folder / "home")
    write_person(home.folder / "buckets" / "a", 1, 7)
    home.said("run")
    write_person(home.folder / "buckets" / "a", 1, 3, first=7)
    write_person(home.folder / "buckets" / "a", 2, 6)
    yield home
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def undisturbed(start: DisturbedHome) -> dict[str, str]:
    home = start.copied(start.folder.parent / "undisturbed")
    home.said("run")
    return library_of(home)


@pytest.fixture
def home(start: DisturbedHome, undisturbed: dict[str, str]) -> Iterator[DisturbedHome]:
    home = start.copied(start.folder.parent / "disturbed")
    yield home
    subprocess.run(["chattr", "-R", "-i", str(home.folder)], check=False, capture_output=True)
    shutil.rmtree(home.folder)


def library_of(home: DisturbedHome) -> dict[str, str]:
    return snapshot(home.folder / "facesets_swap_ready")


def facesets_of(home: DisturbedHome) -> dict[str, str]:
    """Without what a failed run left for the next one to remove."""
    return {path: digest for path, digest in library_of(home).items() if not path.startswith(".staging/")}


def require_as_before(home: DisturbedHome, start: DisturbedHome) -> None:
    """It is sound, and nobody who was there has lost a member."""
    assert home.flaws() == []
    members = start.library.registry.members(["faceset_001"])["faceset_001"]
    assert set(home.library.registry.members(["faceset_001"])["faceset_001"]) >= set(members)


def require_finished(home: DisturbedHome, undisturbed: dict[str, str]) -> None:
    """The next run makes the library of an undisturbed one, and the one after it has nothing to do."""
    home.said("run")
    assert library_of(home) == undisturbed
    assert home.flaws() == []
    assert "Nothing to do" in home.said("run")


@by_root
def test_a_library_that_is_mounted_read_only(
    home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str]
) -> None:
    said = home.said("run", code=1, disturbed_by=f"{NOW_AND_THEN}:library_mounted_read_only")
    assert "its file system is read-only. Mount it so that it can be written" in said
    assert facesets_of(home) == facesets_of(start)
    require_finished(home, undisturbed)


@by_root
@pytest.mark.parametrize("part", ["facesets_swap_ready", "facesets_swap_ready/faceset_001", "."])
def test_what_is_immutable(home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str], part: str) -> None:
    if subprocess.run(["chattr", "-R", "+i", str(home.folder / part)], check=False, capture_output=True).returncode:
        pytest.skip("this file system knows no immutable files")
    said = home.said("run", code=1)
    assert any(word in said for word in ("chattr", "can only be read", "cannot be opened")), said
    assert facesets_of(home) == facesets_of(start)
    subprocess.run(["chattr", "-R", "-i", str(home.folder)], check=True)
    require_finished(home, undisturbed)


def put_back(home: DisturbedHome) -> None:
    if (home.folder / "elsewhere").exists():
        if (home.folder / "buckets" / "a").exists():
            (home.folder / "buckets" / "a").rmdir()
        (home.folder / "elsewhere").rename(home.folder / "buckets" / "a")


@by_root
@pytest.mark.parametrize("what", ["bucket_renamed", "bucket_unmounted", "bucket_remounted", "disk_mounted_over_bucket"])
def test_a_bucket_that_goes_in_mid_run(
    home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str], what: str
) -> None:
    child = home.start("run", disturbed_by=f"{NOW_AND_THEN}:{what}")
    said, _ = child.communicate()
    assert "Traceback" not in said, said
    assert "unreadable_file" in said or "may have been renamed" in said, said
    require_as_before(home, start)
    put_back(home)
    require_finished(home, undisturbed)


@by_root
def test_a_bucket_that_is_an_empty_mount_point(
    home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str]
) -> None:
    (home.folder / "buckets" / "a").rename(home.folder / "elsewhere")
    (home.folder / "buckets" / "a").mkdir()
    child = home.start("run")
    said, _ = child.communicate()
    assert "Traceback" not in said, said
    require_as_before(home, start)
    put_back(home)
    require_finished(home, undisturbed)


@by_root
def test_photos_and_folders_of_another_user(
    home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str]
) -> None:
    bucket = home.folder / "buckets" / "a"
    for name in ("p02_000.png", "p01_008.png"):
        (bucket / name).chmod(0o600)
        give(bucket / name, NOBODY)
    said = home.said("run", disturbed_by=f"{NOW_AND_THEN}:as_a_user")
    assert "not usable 2 (2 unreadable_file): p01_008.png, p02_000.png" in said
    require_as_before(home, start)
    assert "Nothing to do" in home.said("run", disturbed_by=f"{NOW_AND_THEN}:as_a_user")
    bucket.chmod(0o700)
    give(bucket, NOBODY)
    said = home.said("run", code=1, disturbed_by=f"{NOW_AND_THEN}:as_a_user")
    assert "a: not run. " in said, said
    require_as_before(home, start)
    give(bucket, 0)
    home.said("run", disturbed_by=f"{NOW_AND_THEN}:as_a_user")
    require_finished(home, undisturbed)


@by_root
@pytest.mark.parametrize(
    "part", ["", "registry.db", "facesets_swap_ready", "facesets_swap_ready/faceset_001", "cache", "dagster"]
)
def test_a_part_of_the_home_that_is_another_users(
    home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str], part: str
) -> None:
    give(home.folder / part, NOBODY)
    said = home.said("run", code=1, disturbed_by=f"{NOW_AND_THEN}:as_a_user")
    refused = ("this user may not", "can only be read", "cannot be opened", "Permission denied")
    assert any(word in said for word in refused), said
    give(home.folder, 0)
    require_as_before(home, start)
    require_finished(home, undisturbed)


def give(folder: Path, owner: int) -> None:
    subprocess.run(["chown", "-R", f"{owner}:{owner}", str(folder)], check=True)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """As by another program, for as long as the block lasts."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("database", ["registry.db", "dagster/history/runs.db", "dagster/history/runs/index.db"])
def test_a_database_that_another_program_holds_locked(
    home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str], database: str
) -> None:
    with locked(home.folder / database):
        said = home.said("run", code=1, disturbed_by=f"{NOW_AND_THEN}:impatient")
    assert "locked" in said, said
    assert facesets_of(home) == facesets_of(start)
    require_finished(home, undisturbed)


@pytest.mark.parametrize("when", ["while_reading", "while_publishing", "at_once"])
def test_two_interruptions(home: DisturbedHome, start: DisturbedHome, undisturbed: dict[str, str], when: str) -> None:
    said = home.said("run", code=1, disturbed_by=f"{NOW_AND_THEN}:interrupted_twice_{when}")
    assert "nded by a person" in said or "Ended." in said, said
    require_as_before(home, start)
    require_finished(home, undisturbed)

"""A run that dies between any two durable steps leaves a library that the next run makes what it should be."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from facesets_dagster.library.library import Library
from facesets_dagster.library.registry import Registry
from facesets_dagster.library.verification import verify_library
from tests.conftest import REPOSITORY
from tests.crash.snapshots import snapshot
from tests.fakes import write_person


def run(home: Path, fatal: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.crash.die_at", str(home), "a", str(fatal)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def numbered_home(folder: Path) -> Path:
    """A home whose bucket was run once and has grown since: the next run founds one identity and changes another."""
    write_person(folder / "buckets" / "a", 1, 7)
    assert run(folder, 0).returncode == 0
    write_person(folder / "buckets" / "a", 1, 3, first=7)
    write_person(folder / "buckets" / "a", 2, 6)
    return folder


def check(start: Path, undisturbed: dict[str, str], home: Path, fatal: int) -> None:
    shutil.copytree(start, home, copy_function=shutil.copy2)
    before = snapshot(home / "facesets_swap_ready")
    died = run(home, fatal)
    assert died.returncode == 137, died.stderr[-2000:]
    left = snapshot(home / "facesets_swap_ready")
    whole = {path for path in before if path.startswith("faceset_001/")}
    assert {path for path in left if path.startswith("faceset_001/")} >= whole, "the old faceset must stay whole"
    after = run(home, 0)
    assert after.returncode == 0, after.stderr[-2000:]
    assert snapshot(home / "facesets_swap_ready") == undisturbed
    registry = Registry(f"sqlite:///{home / 'registry.db'}")
    assert verify_library(Library(home / "facesets_swap_ready", registry, ())) == []
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_home(tmp_path_factory.mktemp("start") / "home")


@pytest.fixture(scope="module")
def steps(start: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, str]]:
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    shutil.copytree(start, home)
    done = run(home, 0)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1]), snapshot(home / "facesets_swap_ready")


def test_a_run_that_dies_at_three_steps_is_finished_by_the_next(
    start: Path, steps: tuple[int, dict[str, str]], tmp_path: Path
) -> None:
    count, undisturbed = steps
    for fatal in sorted(random.Random(3).sample(range(1, count + 1), 3)):
        check(start, undisturbed, tmp_path / f"home {fatal}", fatal)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_dies_at_any_step_is_finished_by_the_next(
    start: Path, steps: tuple[int, dict[str, str]], tmp_path: Path
) -> None:
    count, undisturbed = steps
    for fatal in range(1, count + 1):
        check(start, undisturbed, tmp_path / f"home {fatal}", fatal)

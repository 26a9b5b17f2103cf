"""`kill -9` of a whole process group at random moments of a real run, from an empty home; then a normal run."""

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from testing.forked import ForkedHome
from tests.crash.snapshots import snapshot


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbs: what it makes and how long it takes."""

    buckets: Path
    models_root: Path
    library: dict[str, str]
    seconds: float

    def home(self, folder: Path) -> ForkedHome:
        return ForkedHome(folder, "embedded", self.models_root, {"FACESETS_BUCKETS": str(self.buckets)})


def undisturbed_run(scratch: Path, models_root: Path, sample: Path, wanted: set[str] | None) -> Undisturbed:
    """A run over the sample buckets, or those that are wanted, in an empty home."""
    buckets = scratch / "buckets"
    shutil.copytree(sample, buckets)
    for folder in [path for path in buckets.iterdir() if path.is_dir() and wanted and path.name not in wanted]:
        shutil.rmtree(folder)
    blank = Undisturbed(buckets, models_root, {}, 0.0)
    home = blank.home(scratch / "undisturbed")
    started = time.monotonic()
    home.facesets("run")
    seconds = time.monotonic() - started
    return Undisturbed(buckets, models_root, snapshot(home.folder / "facesets_swap_ready"), seconds)


def killed_run(undisturbed: Undisturbed, folder: Path, share: float) -> str:
    """Kills the group after this share of the time, runs on and compares; says where the run was killed."""
    home = undisturbed.home(folder)
    child = home.start("run", start_new_session=True)
    try:
        child.wait(share * undisturbed.seconds)
        ended = "it had ended"
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        ended = f"killed after {share:.2f}"
    left = sorted(path.name for path in (folder / "facesets_swap_ready").glob("*"))
    said = home.facesets("run")
    assert snapshot(folder / "facesets_swap_ready") == undisturbed.library, f"{ended}, leaving {left}\n{said}"
    home.facesets("verify")
    assert "Nothing to do" in home.facesets("run")
    shutil.rmtree(folder)
    return ended


@pytest.fixture(scope="module")
def one_bucket(tmp_path_factory: pytest.TempPathFactory, embedded_models_root: Path, sample: Path) -> Undisturbed:
    return undisturbed_run(tmp_path_factory.mktemp("one"), embedded_models_root, sample, {"trip"})


@pytest.mark.parametrize("share", [0.6, *(pytest.param(other, marks=pytest.mark.slow) for other in (0.3, 0.9))])
def test_a_killed_run_is_finished_by_the_next(one_bucket: Undisturbed, tmp_path: Path, share: float) -> None:
    killed_run(one_bucket, tmp_path / "home", share * random.Random(share).uniform(0.8, 1.1))


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_killed_runs_over_all_buckets_are_finished_by_the_next(
    tmp_path_factory: pytest.TempPathFactory, embedded_models_root: Path, sample: Path, tmp_path: Path
) -> None:
    undisturbed = undisturbed_run(tmp_path_factory.mktemp("all"), embedded_models_root, sample, None)
    moments = random.Random(20).sample(range(1, 100), 20)
    ends = [killed_run(undisturbed, tmp_path / f"home {share}", share / 100) for share in moments]
    assert sum(end.startswith("killed") for end in ends) >= 15

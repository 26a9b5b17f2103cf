"""One file that crashes, hangs or floods its decoder costs one row with its reason; a run ends when it is told to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from facesets_dagster.errors import BucketError
from facesets_dagster.faces.face_cache import Reading, ScanResult, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.photos.listing import BucketListing, list_bucket
from facesets_dagster.photos.workers.decoders import PhotoDecoders, photo_decoders
from facesets_dagster.photos.workers.limits import PhotoLimits
from testing.fakes import PACK, FakeEmbedder, write_person
from testing.paths import REPOSITORY
from testing.photo_processes import hostile_photos, photo_processes

SCAN = """
import signal
import sys
from pathlib import Path
from tests.faces.test_hostile_photos import scan
from facesets_dagster.photos.workers.decoders import photo_decoders
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler)  # as Dagster has it in a run
print("begun", flush=True)
scan(Path(sys.argv[1]), photo_decoders())
"""


def scan(root: Path, decoders: PhotoDecoders, listing: BucketListing | None = None, **changes: bool) -> ScanResult:
    store = FaceStore(root / "cache", "a", PACK.model_id, PACK.dim)
    retry = changes.get("retry_failed", False)
    reading = Reading(FakeEmbedder, 2, 10**6, retry, report=lambda *_: None, decoders=decoders)
    return scan_bucket(listing or list_bucket(root / "a"), store, reading)


def statuses(result: ScanResult) -> dict[str, str]:
    return dict(result.tables.files.select("path", "status").iter_rows())


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A bucket of six portraits with a hostile decoder installed."""
    write_person(tmp_path / "a", 1, 6)
    with hostile_photos(tmp_path / "site", monkeypatch):
        yield tmp_path


@pytest.fixture
def decoders() -> Iterator[PhotoDecoders]:
    made = PhotoDecoders(PhotoLimits.of(800, 50, 3), processes=2)
    yield made
    made.end_idle()


@pytest.mark.parametrize(
    ("word", "reason"), [("abort", "crashed"), ("hang", "too_slow"), ("flood", "needs_too_much_memory")]
)
def test_one_hostile_photo_costs_one_row_with_its_name_and_reason(
    hostile: Path, decoders: PhotoDecoders, word: str, reason: str
) -> None:
    (hostile / "a" / "p01_002 hostile.jpg").write_bytes(f"HOSTILE {word}".encode())
    found = statuses(scan(hostile, decoders))
    assert found.pop("p01_002 hostile.jpg") == reason
    assert set(found.values()) == {"faces"}
    assert len(found) == 6
    assert scan(hostile, decoders).opened == 0
    assert scan(hostile, decoders, retry_failed=True).opened == 1


def test_a_photo_that_does_not_answer_costs_one_row_and_is_asked_again_by_the_next_run(
    hostile: Path, decoders: PhotoDecoders
) -> None:
    path = hostile / "a" / "p01_000.png"
    path.rename(path.with_name("does not answer.jpg"))
    found = statuses(scan(hostile, decoders))
    assert found.pop("does not answer.jpg") == "too_slow"
    assert set(found.values()) == {"faces"}
    (hostile / "a" / "does not answer.jpg").rename(path)
    assert statuses(scan(hostile, decoders))["p01_000.png"] == "faces"


def test_a_folder_that_does_not_answer_ends_the_run_of_its_bucket(hostile: Path) -> None:
    for number in range(8):
        (hostile / "a" / f"{number}").mkdir()
        (hostile / "a" / f"{number}" / "does not answer.jpg").write_bytes(b"anything")
    decoders = PhotoDecoders(PhotoLimits.of(800, 50, 0.5), processes=2)
    with pytest.raises(BucketError, match="does not answer: reading more than 4 files in a row took too long"):
        scan(hostile, decoders)
    decoders.end_idle()


def test_a_pipe_and_a_file_of_200_gigabytes_in_the_place_of_photos_cost_a_row_each(
    hostile: Path, decoders: PhotoDecoders
) -> None:
    os.truncate(hostile / "a" / "p01_001.png", 200 * 10**9)
    listing = list_bucket(hostile / "a")
    (hostile / "a" / "p01_000.png").unlink()
    os.mkfifo(hostile / "a" / "p01_000.png")
    began = time.monotonic()
    found = statuses(scan(hostile, decoders, listing))
    assert (found.pop("p01_000.png"), found.pop("p01_001.png")) == ("unreadable_file", "too_large")
    assert set(found.values()) == {"faces"}
    assert time.monotonic() - began < 20


def test_a_run_without_news_starts_no_process(tmp_path: Path) -> None:
    write_person(tmp_path / "a", 1, 3)
    photo_decoders().end_idle()
    assert scan(tmp_path, photo_decoders()).opened == 3
    assert 1 <= len(photo_processes()) <= 2
    photo_decoders().end_idle()
    assert scan(tmp_path, photo_decoders()).opened == 0
    assert not photo_processes()


@pytest.fixture
def hanging_run(hostile: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A process whose scan hangs in a decoder and in a read, and its photo processes."""
    (hostile / "a" / "hangs.jpg").write_bytes(b"HOSTILE hang")
    (hostile / "a" / "does not answer.jpg").write_bytes(b"anything")
    path = f"{os.environ['PYTHONPATH']}{os.pathsep}{REPOSITORY}"
    run = subprocess.Popen(
        [sys.executable, "-c", SCAN, str(hostile)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert run.stdout is not None
    run.stdout.readline()
    deadline = time.monotonic() + 60
    store = FaceStore(hostile / "cache", "a", PACK.model_id, PACK.dim)
    while len(psutil.Process(run.pid).children()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2)  # both hang by now
    assert not len(store.read().contents)
    yield run, psutil.Process(run.pid).children()
    run.kill()
    run.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_waits_for_hanging_photos_ends_at_once_and_leaves_no_process(
    hanging_run: tuple[subprocess.Popen[bytes], list[psutil.Process]], number: signal.Signals
) -> None:
    run, processes = hanging_run
    assert len(processes) == 2
    before = named_segments()
    run.send_signal(number)
    assert run.wait(10) != 0
    gone, alive = psutil.wait_procs(processes, timeout=10)
    assert (len(gone), alive) == (2, [])
    assert named_segments() <= before


def named_segments() -> set[str]:
    """Names that Python gives to shared memory; a browser or a database beside the tests has others."""
    return {path.name for path in Path("/dev/shm").glob("psm_*")}

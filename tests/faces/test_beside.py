"""Runs and readers of one bucket beside each other, and what is left when one is killed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesets_dagster.faces import refresh
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.faces.tables import whole_tables
from facesets_dagster.photos.listing import list_bucket
from testing.fakes import PACK, write_person
from tests.faces.test_changes import is_as, scanned_at_once
from tests.faces.test_face_cache import Bucket


def another_run(bucket: Bucket) -> Bucket:
    """The same bucket and cache, as another process has them."""
    other = Bucket.__new__(Bucket)
    other.name, other.folder, other.model = bucket.name, bucket.folder, bucket.model
    other.store = FaceStore(bucket.store.folder.parents[2], bucket.name, PACK.model_id, PACK.dim)
    return other


def test_of_two_scans_at_once_the_second_waits_and_no_photo_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(tmp_path)
    write_person(bucket.folder, 1, 10)
    said: list[str] = []
    moved_on = threading.Event()
    second: list[threading.Thread] = []

    def scan_beside() -> None:
        another_run(bucket).scan(say=lambda text: (said.append(text), moved_on.set()))
        moved_on.set()

    def late(*arguments: Any) -> Any:
        if not second:  # the first scan has read the tables and is about to write them
            write_person(bucket.folder, 2, 1)
            second.append(threading.Thread(target=scan_beside))
            second[0].start()
            assert moved_on.wait(20)
        return whole_tables(*arguments)

    monkeypatch.setattr(refresh, "whole_tables", late)
    bucket.scan()
    second[0].join()
    tables = bucket.store.read()
    assert len(tables.faces) == len(tables.files) == len(tables.contents) == 11
    assert bucket.store.folder_digest() == list_bucket(bucket.folder).digest()
    assert said == ["a: waiting for another run that reads this bucket's photos (0 s so far)"]


def test_a_second_run_finds_what_the_first_has_read(bucket: Bucket) -> None:
    write_person(bucket.folder, 2, 3)
    listing = list_bucket(bucket.folder)
    assert bucket.scan(listing=listing).opened == 3
    assert another_run(bucket).scan(listing=listing).opened == 0


def test_a_run_that_waits_can_be_ended_and_one_that_was_killed_is_not_waited_for(bucket: Bucket) -> None:
    hold = "import sys, time; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire()"
    command = [sys.executable, "-c", f"{hold}; print(flush=True); time.sleep(600)", str(bucket.store.folder / ".lock")]
    said: list[str] = []

    def terminate(text: str) -> None:
        said.append(text)
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGALRM, ended)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            with pytest.raises(KeyboardInterrupt):
                bucket.scan(say=terminate)
        finally:
            signal.signal(signal.SIGALRM, usual)
            other.kill()
    assert bucket.scan(say=said.append).opened == 0
    assert len(said) == 1


@pytest.mark.parametrize("again", [False, True])
def test_a_reader_beside_a_compaction_gets_every_row(
    bucket: Bucket, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(bucket.folder, 2, 1)
    bucket.scan()
    usual = FaceStore._load

    def load(store: FaceStore, path: Path, *arguments: Any) -> Any:
        frame = usual(store, path, *arguments)
        if path.name == "faces.parquet":  # the table is read, the part is not
            monkeypatch.setattr(FaceStore, "_load", usual)
            store.compact(store.read())
            if again:  # a part of the same number, of a run that came next
                write_person(bucket.folder, 3, 1)
                bucket.scan()
        return frame

    monkeypatch.setattr(FaceStore, "_load", load)
    assert len(another_run(bucket).store.columns("faces", "sha256")) == 31 + again


@pytest.mark.parametrize("again", [False, True])
def test_files_held_open_beside_a_compaction_have_every_row(
    bucket: Bucket, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(bucket.folder, 2, 1)
    bucket.scan()
    usual = Path.open

    def opened(path: Path, *arguments: Any) -> Any:
        stream = usual(path, *arguments)
        if path.name == "faces.parquet":  # the table is open, the part is not
            monkeypatch.setattr(Path, "open", usual)
            bucket.store.compact(bucket.store.read())
            if again:  # a part of the same number, of a run that came next
                write_person(bucket.folder, 3, 1)
                bucket.scan()
        return stream

    monkeypatch.setattr(Path, "open", opened)
    with another_run(bucket).store.open_faces("sha256") as (table, files):
        assert len(table) == 31 + again
        assert all(not file.closed for file in files)


class Killed(BaseException):
    """In place of `kill -9`."""


class Countdown:
    """Kills before the n-th rename or removal of a file."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def before(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if not self._left:
                raise Killed
            return usual(*arguments, **options)

        return step


def scan_killed_at(bucket: Bucket, step: int) -> bool:
    """Scans and is killed before this step; False if the scan comes to its end before.

    Folders are listed newest name first: a file system may give any order.
    """
    countdown, listed = Countdown(step), Path.glob
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "glob", lambda folder, pattern: sorted(listed(folder, pattern), reverse=True))
        patched.setattr(Path, "unlink", countdown.before(Path.unlink))
        patched.setattr("facesets_dagster.files.writing.os.replace", countdown.before(os.replace))
        try:
            bucket.scan()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("more", [1, 4])
def test_wherever_a_scan_is_killed_no_older_row_comes_back(bucket: Bucket, more: int, tmp_path: Path) -> None:
    """`more`: photos that are new to that scan; four are so many that the tables are written again."""
    write_person(bucket.folder, 2, 1)
    bucket.scan()
    (bucket.folder / "p02_000.png").rename(bucket.folder / "moved.png")
    bucket.scan()
    write_person(bucket.folder, 3, more)
    (bucket.folder / "moved.png").rename(bucket.folder / "moved again.png")
    shutil.copytree(bucket.store.folder, tmp_path / "before")
    expected, step = scanned_at_once(bucket, tmp_path / "other"), 1
    while scan_killed_at(bucket, step):
        bucket.scan()
        assert is_as(bucket.store.read(), expected), f"killed before step {step}"
        shutil.rmtree(bucket.store.folder)
        shutil.copytree(tmp_path / "before", bucket.store.folder)
        step += 1
    assert step > 6

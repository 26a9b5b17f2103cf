"""The library's lock: one holder at a time, a dead holder's lock is taken over with a message."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from facesets_dagster.errors import LibraryLocked
from facesets_dagster.library.lock import library_lock
from facesets_dagster.registry.dialect import make_engine
from facesets_dagster.registry.server_lock import ServerLock
from testing.paths import REPOSITORY
from testing.postgres import PostgresServer

HOLD = """
import sys, time
from pathlib import Path
from facesets_dagster.library.lock import library_lock
with library_lock(Path(sys.argv[1]), "run of the child", say=print):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    """A process that holds the lock."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_held_library_is_waited_for_and_refused_with_the_name_of_the_holder(tmp_path: Path) -> None:
    child = holder(tmp_path)
    try:
        with (
            pytest.raises(LibraryLocked, match=rf"held by run of the child \(process {child.pid} on "),
            library_lock(tmp_path, "me", say=lambda _: None, timeout_seconds=0.2),
        ):
            pytest.fail("two held the library")
    finally:
        child.kill()
        child.communicate()


def test_the_lock_of_a_dead_process_is_taken_over_with_a_message(tmp_path: Path) -> None:
    child = holder(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    said: list[str] = []
    with library_lock(tmp_path, "me", say=said.append):
        pass
    assert len(said) == 1
    assert f"was left locked by run of the child (process {child.pid} on " in said[0]
    with library_lock(tmp_path, "me", say=said.append):
        pass
    assert len(said) == 1


def test_an_error_inside_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), library_lock(tmp_path, "me", say=print):
        raise ZeroDivisionError
    with library_lock(tmp_path, "me", say=pytest.fail):
        pass


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        for _ in range(10):
            with library_lock(tmp_path, "thread", say=lambda _: None):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (40, 1)


def test_a_folder_without_locks_is_held_by_the_registrys_server(tmp_path: Path, postgres: PostgresServer) -> None:
    """Two machines with a file system that does not carry locks: as good as two folders."""
    engine = make_engine(postgres.fresh())
    here, there = ServerLock(engine), ServerLock(engine)
    with library_lock(tmp_path / "one", "here", say=print, server=here):
        with (
            pytest.raises(LibraryLocked, match="was held by another process for 0 s"),
            library_lock(tmp_path / "two", "there", say=print, timeout_seconds=0.3, server=there),
        ):
            pytest.fail("two held the library")
        with library_lock(
            tmp_path / "two", "other library", say=print, server=ServerLock(make_engine(postgres.fresh()))
        ):
            pass
    with library_lock(tmp_path / "two", "there", say=print, timeout_seconds=0.3, server=there):
        pass


def test_the_server_takes_the_lock_from_a_holder_that_lost_its_connection(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    engine = make_engine(postgres.fresh())
    with library_lock(tmp_path / "one", "here", say=print, server=ServerLock(engine)):
        with engine.connect() as connection:
            holders = sa.text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            assert connection.execute(holders).all() == [(True,)]
        with library_lock(tmp_path / "two", "there", say=print, timeout_seconds=30, server=ServerLock(engine)):
            pass

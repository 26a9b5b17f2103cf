"""Files appear whole, and what dead writers left is removed."""

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import polars as pl
import pytest

from facesets_dagster.files.machine import place_of_processes
from facesets_dagster.files.writing import (
    exchange_folders,
    remove_leftovers,
    temporary_for,
    write_bytes,
    write_parquet,
    write_stream,
)  # fmt: skip


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        write_bytes(tmp_path / "deep" / "file", data)
    write_parquet(tmp_path / "deep" / "table.parquet", pl.DataFrame({"a": [1]}), {"schema_version": "1"})
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"file", "table.parquet"}
    assert (tmp_path / "deep" / "file").read_bytes() == b"second"
    assert pl.read_parquet_metadata(tmp_path / "deep" / "table.parquet")["schema_version"] == "1"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "file", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    here, other, token = place_of_processes(), "0123456789ab", secrets.token_hex(8)
    dead, alive = tmp_path / f".{here}-{child.pid}-{token}.tmp", tmp_path / f".{here}-{os.getpid()}-{token}.tmp"
    elsewhere, abandoned = tmp_path / f".{other}-{child.pid}-{token}.tmp", tmp_path / f".{other}-1-{token}.tmp"
    older, newest = tmp_path / ".a.json.1.tmp", tmp_path / ".b.json.2.tmp"
    of_a_namesake = tmp_path / f".{here}-{os.getpid()}-{secrets.token_hex(8)}.tmp"
    for path in (
        dead,
        alive,
        of_a_namesake,
        elsewhere,
        abandoned,
        older,
        newest,
        tmp_path / "c.tmp",
        tmp_path / ".d.tmp",
    ):
        path.touch()
    for path in (abandoned, older, of_a_namesake):
        os.utime(path, (0, time.time() - 25 * 3600))
    remove_leftovers(tmp_path)
    assert set(os.listdir(tmp_path)) == {alive.name, elsewhere.name, newest.name, "c.tmp", ".d.tmp"}


def test_two_machines_whose_processes_have_one_number_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    with temporary_for(tmp_path / "a") as first, temporary_for(tmp_path / "a") as second:
        assert first != second


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    def half(stream: IO[bytes]) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_stream(tmp_path / "file", half)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="folders are swapped by a system call of Linux")
def test_two_folders_are_swapped_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    if not exchange_folders(tmp_path / "one", tmp_path / "two"):
        pytest.skip("this file system cannot swap folders")
    assert (tmp_path / "one" / "who").read_text() == "two"
    with pytest.raises(OSError, match="No such file"):
        exchange_folders(tmp_path / "one", tmp_path / "absent")

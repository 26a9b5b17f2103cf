"""A database or a disk that refuses: a sentence says what to do, for the registry, Dagster's databases and files."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from facesets_dagster.errors import RegistryUnavailable
from facesets_dagster.files.trouble import disk_words
from facesets_dagster.registry.dialect import make_engine
from testing.homes import RealHome


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    made = make_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x BLOB)")
    return made


def test_a_full_disk_is_said_in_a_sentence_and_nothing_is_half_written(engine: sa.Engine) -> None:
    def fill() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 3")
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100))")
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(1000000))")

    with pytest.raises(RegistryUnavailable, match=r"The registry sqlite:.* be used: its disk is full\. Free some"):
        fill()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0


def test_a_database_that_stays_locked_is_said_in_a_sentence(engine: sa.Engine) -> None:
    other = sqlite3.connect(str(engine.url.database))
    other.execute("BEGIN IMMEDIATE")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        with pytest.raises(RegistryUnavailable, match="another program has held it locked"):
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    other.close()


def test_a_registry_in_the_place_of_which_a_folder_lies_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "registry.db").mkdir()
    with pytest.raises(RegistryUnavailable, match=r"it cannot be opened. Expected a file"):
        make_engine(f"sqlite:///{tmp_path / 'registry.db'}").connect()


def test_a_full_device_is_said_in_a_sentence() -> None:
    with pytest.raises(OSError, match="No space left") as caught, open("/dev/full", "wb") as stream:
        stream.write(b"x" * 100_000)
    assert str(disk_words(caught.value)).startswith(
        "A file cannot be read or written: its disk is full. Free some space"
    )
    assert disk_words(FileNotFoundError(2, "no such file", "x")) is None


def test_dagsters_own_database_that_cannot_be_opened_is_said_in_a_sentence(
    tmp_path: Path, embedded_models_root: Path
) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root).made()
    (home.folder / "buckets" / "trip").mkdir()
    runs = home.folder / "dagster" / "history" / "runs.db"
    runs.unlink()
    runs.mkdir()
    child = home.start("run", "trip")
    said, _ = child.communicate()
    assert child.returncode == 1
    assert "Dagster's database (DAGSTER_HOME) cannot be used: it cannot be opened." in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="mounting takes root")
def test_a_library_on_a_disk_that_is_full_or_read_only_costs_a_sentence(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from facesets_dagster.files.trouble import disk_words\n"
        "from facesets_dagster.files.writing import write_bytes\n"
        "try:\n    write_bytes(Path(sys.argv[1]) / 'page', b'x' * 2_000_000)\n"
        "except OSError as error:\n    print(disk_words(error))\n"
    )
    (tmp_path / "disk").mkdir()
    said = []
    for options in ("size=1m", "ro,size=4m"):
        mount = f'mount -t tmpfs -o {options} none "$1" && exec "$2" -c "$3" "$1"'
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path / "disk"), sys.executable, script]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()[-200:]}")
        said.append(done.stdout)
    assert "its disk is full" in said[0]
    assert "its file system is read-only" in said[1]

"""A worker as in an image: no network, and models in a folder that cannot be written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from testing.homes import RealHome
from testing.paths import REPOSITORY

_ALONE = ["unshare", "--net", "--mount", "--fork"]
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


@pytest.fixture(scope="module")
def alone() -> list[str]:
    try:
        done = subprocess.run([*_ALONE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed here")
    if done.returncode:
        pytest.skip(f"namespaces are not permitted here: {done.stderr.strip()}")
    return [*_ALONE, "sh", "-c", _READ_ONLY, "sh"]


@pytest.mark.slow
def test_init_and_a_run_download_nothing(
    alone: list[str], sample: Path, embedded_models_root: Path, tmp_path: Path
) -> None:
    more = {"FACESETS_BUCKETS": str(sample)}
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root, more)

    def facesets(*arguments: str) -> str:
        command = [*alone, str(embedded_models_root), sys.executable, "-m", "facesets_dagster.cli.main", *arguments]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    facesets("init")
    (row,) = json.loads(facesets("run", "trip", "--json"))["buckets"]
    assert row["result"] == "done"

"""What the lock installs: one onnxruntime and one OpenCV, whichever extra is chosen."""

import subprocess
from pathlib import Path

import pytest

from testing.paths import REPOSITORY

UV = REPOSITORY / ".venv" / "bin" / "uv"


def locked(extra: str) -> set[str]:
    command = [str(UV), "export", "--frozen", "--no-hashes", "--no-dev", "--no-emit-project", "--extra", extra]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line and line[0].isalnum()]
    return {line.split("==")[0].strip() for line in lines}


@pytest.mark.skipif(not Path(UV).exists(), reason="the project was not set up by `make setup`")
@pytest.mark.parametrize(
    ("extra", "kept", "absent"),
    [("cpu", "onnxruntime", "onnxruntime-gpu"), ("gpu", "onnxruntime-gpu", "onnxruntime")],
)
def test_there_is_never_a_second_onnxruntime_or_opencv(extra: str, kept: str, absent: str) -> None:
    packages = locked(extra)
    assert kept in packages
    assert absent not in packages
    assert {name for name in packages if name.startswith("opencv")} == {"opencv-python-headless"}
    assert {"dagster", "dagster-webserver", "insightface"} <= packages

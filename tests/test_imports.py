"""What starts quickly stays quick: nothing heavy is imported before a step needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from testing.homes import RealHome
from testing.paths import REPOSITORY

HEAVY = (
    "cv2", "insightface", "jinja2", "matplotlib", "numba", "onnx", "onnxruntime", "psd_tools", "scipy", "simplejpeg",
    "skimage", "sklearn", "torch",
)  # fmt: skip


def imported(code: str, home: RealHome) -> set[str]:
    """Which of the heavy modules a fresh process has after this code."""
    told = f"\nimport sys\nprint('imported:', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + told],
        cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_the_code_location_loads_without_models_pictures_and_plots(tmp_path: Path, embedded_models_root: Path) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root)
    assert imported("import facesets_dagster.definitions", home) == set()
    assert imported("import facesets_dagster.definitions, cv2", home) >= {"cv2"}  # the question is a real one


@pytest.mark.parametrize("arguments", [["--help"], ["status"], ["init"]])
def test_commands_that_look_at_no_photo_import_nothing_heavy(
    arguments: list[str], tmp_path: Path, embedded_models_root: Path
) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root)
    if arguments == ["status"]:
        home.made()
    code = f"from facesets_dagster.cli.main import app\napp({arguments!r}, standalone_mode=False)"
    assert imported(code, home) == set()
    if arguments == ["--help"]:
        dagster = f"{code}\nimport sys\nassert 'dagster' not in sys.modules"
        assert imported(dagster, home) == set()

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


def test_the_program_itself_imports_only_what_help_needs() -> None:
    code = "import sys, facesets_dagster.cli.main; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} & {*HEAVY, "dagster", "numpy", "polars", "pydantic", "sqlalchemy", "PIL"} == set()


READING = (
    ["--help"], ["--version"], ["status"], ["status", "--json"], ["verify"], ["show", "faceset_001"], ["find", "Anna"],
    ["explain", "trip/a.jpg"], ["models", "list"], ["open"], ["merge", "faceset_001", "faceset_002", "--dry-run"],
    ["rulings"], ["rulings", "list", "--json"], ["rulings", "show", "01"],
)  # fmt: skip


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_commands_that_only_read_import_neither_dagster_nor_models_nor_plots(
    arguments: list[str], tmp_path: Path, embedded_models_root: Path
) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root).made()
    run = f"from facesets_dagster.cli.main import app\ntry:\n    app({arguments!r})\nexcept SystemExit:\n    pass"
    shapes = {"onnx"} if arguments[0] == "models" else set()  # what a pack can do stands in its files
    assert imported(f"{run}\nimport sys\nassert 'dagster' not in sys.modules", home) <= shapes


def test_init_imports_no_model(tmp_path: Path, embedded_models_root: Path) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root)
    code = "from facesets_dagster.cli.main import app\napp(['init'], standalone_mode=False)"
    assert imported(code, home) == set()

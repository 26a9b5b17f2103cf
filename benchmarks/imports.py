"""What it costs to load the code location: seconds on top of `import dagster`, in processes that take turns."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from testing.homes import RealHome
from testing.measurements.row import Row
from testing.paths import REPOSITORY

ROUNDS = 7
_TIMED = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def measure_imports(pack: str, models_root: Path) -> list[Row]:
    """One row."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(Path(scratch) / "home", pack, models_root)
        home.facesets("init")
        alone, both = [], []
        for _ in range(ROUNDS + 1):  # the first warms up
            alone.append(_seconds("dagster", home))
            both.append(_seconds("dagster, facesets_dagster.definitions", home))
    more = median(b - a for a, b in zip(alone[1:], both[1:], strict=True))
    return [
        Row("import of the code location on top of `import dagster`", more, "s", "import dagster", median(alone[1:]),
            more / median(alone[1:]), target="<= 2 s", met=more <= 2),
    ]  # fmt: skip


def _seconds(modules: str, home: RealHome) -> float:
    command = [sys.executable, "-c", _TIMED.format(modules)]
    done = subprocess.run(command, cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=True)
    return float(done.stdout)

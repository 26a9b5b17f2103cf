"""Processor time of commands, user and system, beside `python -c 'import dagster'`; processes that take turns."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from facesets_dagster.embedding.packs import EMBEDDED
from testing.homes import RealHome
from testing.measurements.row import Row
from testing.paths import REPOSITORY

ROUNDS = 3
_PEER = ["-c", "import dagster"]
_LIMITS = {
    ("--help",): 0.5,
    ("status",): 1.0,
    ("show", "faceset_001"): 1.0,
    ("find", "faceset_001"): 1.0,
    ("explain", "trip/two.jpg"): 1.0,
    ("verify",): 1.0,
    ("label", "faceset_001", "Anna"): None,
}
"""Command -> processor seconds that it may take; None for one that goes through Dagster."""


def measure_commands(models_root: Path) -> list[Row]:
    """On the home of the sample buckets; needs nothing beside the repository."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(Path(scratch), EMBEDDED, models_root)
        home.facesets("sample", str(home.folder / "buckets"))
        home.facesets("run")
        seconds: dict[tuple[str, ...], list[float]] = {(): [], **{command: [] for command in _LIMITS}}
        for _ in range(ROUNDS + 1):  # the first warms up
            for command, taken in seconds.items():
                taken.append(_processor_seconds(home, command))
    peer = median(seconds[()][1:])
    return [_row(command, median(seconds[command][1:]), peer, limit) for command, limit in _LIMITS.items()]


def _row(command: tuple[str, ...], value: float, peer: float, limit: float | None) -> Row:
    return Row(
        f"facesets {' '.join(command)}",
        round(value, 2),
        "s of processor time",
        "import dagster",
        round(peer, 2),
        round(value / peer, 2),
        target=f"<= {limit:g} s" if limit else "",
        met=value <= limit if limit else None,
        note="" if limit else "through Dagster, for lineage: the import alone is the peer's figure",
    )


def _processor_seconds(home: RealHome, command: tuple[str, ...]) -> float:
    """Of a process of its own: the command, or the peer without one."""
    arguments = ["-m", "facesets_dagster.cli.main", *command] if command else _PEER
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, env=home.environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

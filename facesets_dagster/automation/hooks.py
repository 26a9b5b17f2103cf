"""What happens when a run failed: a line in the report index, and the command of the user. No Dagster.

The command (`FACESETS_ON_FAILURE`) is started without a shell, with `FACESETS_FAILED_BUCKET`, `FACESETS_FAILED_RUN` and
`FACESETS_FAILED_ERROR` in its environment, and is given a minute.
"""

import os
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from facesets_dagster.errors import SettingsError
from facesets_dagster.reports.index import RunLine, add_run

COMMAND_SECONDS = 60


def note_failure(reports_dir: Path, bucket: str, run_id: str, error: str, *, job: str = "") -> None:
    """A line in the report index; once per run. `job`: what was run, as people call it."""
    first_line = next((line.strip() for line in error.splitlines() if line.strip()), "no reason is known")
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    add_run(reports_dir, RunLine(bucket, run_id, finished_at, error=first_line[:500], job=job))


def run_hook(command: str, bucket: str, run_id: str, error: str) -> None:
    """Runs the user's command. Raises `SettingsError` if it cannot be started, fails, or takes over a minute."""
    variables = {"FACESETS_FAILED_BUCKET": bucket, "FACESETS_FAILED_RUN": run_id, "FACESETS_FAILED_ERROR": error[:4000]}
    try:
        done = subprocess.run(
            shlex.split(command),
            env={**os.environ, **variables},
            timeout=COMMAND_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        raise SettingsError(f"FACESETS_ON_FAILURE ({command}) cannot be run: {problem}. Fix or unset it.") from problem
    if done.returncode:
        raise SettingsError(f"FACESETS_ON_FAILURE ({command}) ended with {done.returncode}: {done.stderr[-500:]}")

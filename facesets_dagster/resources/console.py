"""What runs print beside their log in Dagster: warnings and errors, so that the terminal of `make dev` stays quiet."""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.execution import context_creation_job

_LEVEL = "WARNING"


def print_warnings_only() -> None:
    """For runs of this process whose run config names no logger; `python_log_level` of `dagster.yaml` is respected.

    A logger of the code location would not do: Dagster 1.13 uses one only for run config that names it, and prints
    every event of all other runs. The run's log has every line.
    """
    context_creation_job.default_system_loggers = _loggers  # type: ignore[attr-defined]


def _loggers(instance: dg.DagsterInstance | None) -> Sequence[tuple[dg.LoggerDefinition, Mapping[str, object]]]:
    level = (instance.python_log_level if instance else None) or _LEVEL
    return [(dg.colored_console_logger, {"name": "dagster", "log_level": level})]

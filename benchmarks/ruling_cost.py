"""What rulings cost a run that has none: CPU seconds in the questions about rulings, of those of the whole run."""

import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from unittest.mock import patch

import dagster as dg

from facesets_dagster.definitions import build_defs
from facesets_dagster.partitions import SOURCE_BUCKET
from testing.homes import RealHome
from testing.measurements.row import Row

RUNS, MAX_SHARE = 5, 0.01
_QUESTIONS = ("bindings_of", "known_rulings", "rulings_in_force", "rulings_written", "touched_among", "two_people")
"""Functions with which the steps of the main chain ask for rulings."""


def cost_row(home: RealHome, bucket: str) -> Row:
    """The share of CPU seconds: the median of some runs.

    An unchanged bucket reads no photo and runs no model, so that nothing hides the questions. Runs with and without the
    questions differ by more than a hundredth of themselves by chance; so the questions themselves are timed.
    """
    job = build_defs(home.settings).resolve_job_def("discover_identities")
    _seconds(job, bucket)  # everything is imported and read once
    asked, whole = list[float](), list[float]()
    for _ in range(RUNS):
        with _timed() as spent:
            whole.append(_seconds(job, bucket))
        asked.append(sum(spent))
    share = median(one / run for one, run in zip(asked, whole, strict=True))
    told = f"{1000 * median(asked):.1f} ms of {median(whole):.1f} CPU seconds of a run of an unchanged bucket"
    name = "CPU of a run that rulings take where there is none"
    return Row(name, share, "share", target=f"<= {MAX_SHARE}", met=share <= MAX_SHARE, note=told)


def _seconds(job: dg.JobDefinition, bucket: str) -> float:
    """CPU seconds of a run in this process."""
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
        began = time.process_time()
        job.execute_in_process(quiet, instance=instance, partition_key=bucket)
        return time.process_time() - began


@contextmanager
def _timed() -> Iterator[list[float]]:
    """CPU seconds of each question that is asked meanwhile, wherever the function is imported; of nested ones the
    outer alone.
    """
    spent, depth = list[float](), [0]

    def timed(question: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(question)
        def wrapped(*args: object, **kwargs: object) -> object:
            depth[0] += 1
            began = time.thread_time()
            try:
                return question(*args, **kwargs)
            finally:
                depth[0] -= 1
                if not depth[0]:
                    spent.append(time.thread_time() - began)

        return wrapped

    modules = [module for name, module in sys.modules.items() if name.startswith("facesets_dagster.")]
    places = [(module, name) for module in modules for name in _QUESTIONS if callable(getattr(module, name, None))]
    patches = [patch.object(module, name, timed(getattr(module, name))) for module, name in places]
    for one in patches:
        one.start()
    try:
        yield spent
    finally:
        for one in patches:
            one.stop()

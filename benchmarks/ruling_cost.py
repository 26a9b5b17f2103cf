"""What rulings cost a run that has none: runs of an unchanged bucket, with and without the questions about rulings."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from unittest.mock import patch

import dagster as dg

from facesets_dagster.definitions import build_defs
from facesets_dagster.identities.bindings import NO_BINDINGS
from facesets_dagster.partitions import SOURCE_BUCKET
from testing.homes import RealHome
from testing.measurements.row import Row

RUNS, MAX_SHARE = 9, 0.01
_NOTHING: Mapping[str, object] = {
    "bindings_of": NO_BINDINGS,
    "known_rulings": (),
    "rulings_in_force": (),
    "rulings_written": 0,
    "touched_among": set(),
    "two_people": set(),
}
"""Question about rulings -> its answer where there is none."""


def cost_row(home: RealHome, bucket: str) -> Row:
    """Added CPU seconds, as a share: the median of pairs of runs, which take turns in who is first.

    An unchanged bucket reads no photo and runs no model, so that nothing hides the questions.
    """
    job = build_defs(home.settings).resolve_job_def("discover_identities")
    _seconds(job, bucket)  # everything is imported and read once
    shares, bare = list[float](), list[float]()
    for place in range(RUNS):
        found: dict[bool, float] = {}
        for is_asked in (True, False) if place % 2 else (False, True):
            if is_asked:
                found[True] = _seconds(job, bucket)
            else:
                with _nothing_asked():
                    found[False] = _seconds(job, bucket)
        shares.append(found[True] / found[False] - 1)
        bare.append(found[False])
    share = median(shares)
    told = f"median of {RUNS} pairs of runs of an unchanged bucket; without: {median(bare):.2f} CPU seconds"
    name = "CPU of a run that rulings add where there is none"
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
def _nothing_asked() -> Iterator[None]:
    """The questions are answered without looking, wherever they are imported."""
    modules = [module for name, module in sys.modules.items() if name.startswith("facesets_dagster.")]
    places = [(module, name) for module in modules for name in _NOTHING if callable(getattr(module, name, None))]
    patches = [patch.object(module, name, lambda *_, _said=_NOTHING[name], **__: _said) for module, name in places]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()

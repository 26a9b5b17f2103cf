"""What a small bucket costs beside a large library: real runs of the main job with a fake model and a made-up registry.

Processor time of the process, Dagster's share included; the two homes take turns. Pictures of the made-up identities do
not exist, because no run of another bucket looks at them.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from testing.fake_home import FakeHome, fake_home_in
from testing.made_up_registry import MODEL, ManyPeopleResource, fill, write_bucket
from testing.measurements.row import Row

IDENTITIES, MEMBERS, PHOTOS = 20_000, 1_000_000, 10
MOST = 1.3
TURNS = 7
WARM_UP = 2
"""Buckets of each home that are not counted: the first one reads what later ones only bring up."""


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time of a bucket's two runs."""

    changed: float
    """It founds an identity."""
    unchanged: float
    """The same again."""


def measure_registry_scale() -> list[Row]:
    """A bucket beside nobody and beside 20,000 identities with 1,000,000 members."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        _home(Path(scratch) / "a") as alone,
        _home(Path(scratch) / "b") as beside,
    ):
        fill(beside.library, IDENTITIES, MEMBERS)
        costs: dict[str, list[Cost]] = {"alone": [], "beside": []}
        for number in range(WARM_UP + TURNS):
            for name, home in (("alone", alone), ("beside", beside)):
                costs[name].append(_cost(home, number))
    counted = {name: found[WARM_UP:] for name, found in costs.items()}
    return [
        _compared("a bucket that founds an identity", counted, lambda cost: cost.changed),
        _compared("the same bucket again", counted, lambda cost: cost.unchanged),
        Row("the first bucket of a process beside them", costs["beside"][0].changed, "s", "beside nobody",
            costs["alone"][0].changed, note="reads the identities and writes the list of them once"),
    ]  # fmt: skip


def measure_registry_growth(buckets: int) -> list[Row]:
    """So many buckets, one after the other: the last tenth against the first."""
    with tempfile.TemporaryDirectory() as scratch, _home(Path(scratch)) as home:
        costs = [_cost(home, number) for number in range(buckets)]
    tenth = max(2, buckets // 10)
    first, last = costs[WARM_UP : WARM_UP + tenth], costs[-tenth:]
    rows = []
    for name, of in (("founds an identity", lambda cost: cost.changed), ("unchanged", lambda cost: cost.unchanged)):
        before, after = (median(of(cost) for cost in some) for some in (first, last))
        rows.append(
            Row(f"a bucket, {name}, last tenth of {buckets}", after, "s", "first tenth", before, after / before,
                note=f"processor time, medians of {tenth} buckets")
        )  # fmt: skip
    return rows


def _compared(name: str, costs: dict[str, list[Cost]], of: Callable[[Cost], float]) -> Row:
    alone, beside = (median(of(cost) for cost in costs[key]) for key in ("alone", "beside"))
    target, ratio = f"<= {MOST} times", beside / alone
    note = f"{PHOTOS} photos, {IDENTITIES:,} identities, {MEMBERS:,} members; processor time, medians of {TURNS}"
    return Row(name, beside, "s", "beside nobody", alone, ratio, target, ratio <= MOST, note)


def _cost(home: FakeHome, number: int) -> Cost:
    name = f"bucket {number:04d}"
    write_bucket(home.buckets / name, number, PHOTOS)
    MODEL.bucket = number + 1
    return Cost(_seconds(home, name), _seconds(home, name))


def _seconds(home: FakeHome, bucket: str) -> float:
    gc.collect()
    started = time.process_time()
    home.run(bucket)
    return time.process_time() - started


@contextmanager
def _home(folder: Path) -> Iterator[FakeHome]:
    folder.mkdir(exist_ok=True)
    with fake_home_in(folder) as home:
        home.embedder = ManyPeopleResource()
        yield home

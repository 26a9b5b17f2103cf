"""Many small buckets: `facesets run` in one go against a process for each, as the sensor and a backfill run them.

Ten photos a bucket, all different (the labelled portraits, encoded again with another quality). Dagster's share of a
run is its time beside the `seconds` that its assets name in their metadata.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from testing.homes import RealHome
from testing.measurements.row import Row
from testing.paths import REPOSITORY, SHARED

PHOTOS, SINGLE = 10, 3


@dataclass(frozen=True)
class Run:
    """Seconds of a bucket's run in its process."""

    wall: float
    own: float
    """What its assets name as theirs."""

    @property
    def outside(self) -> float:
        """Dagster's share."""
        return self.wall - self.own


def measure_many_buckets(pack: str, models_root: Path, buckets: int) -> list[Row]:
    """In one go, one process per bucket for some of them, and Dagster's share."""
    with tempfile.TemporaryDirectory() as scratch:
        homes = _Homes(Path(scratch), pack, models_root)
        together = homes.with_buckets(write_buckets(Path(scratch) / "photos", buckets))
        in_one_go, runs = _all_in(together)
        again = _all_in(together)[0]
        together.facesets("verify")
        some = homes.names[:SINGLE]
        apart = homes.with_buckets(some)
        singles = [(seconds, run) for name in some for seconds, (run,) in [_all_in(apart, name)]]
    one_by_one = median(seconds for seconds, _ in singles)
    return [
        Row(f"{buckets} buckets of {PHOTOS} photos in one go", in_one_go / buckets, "s per bucket",
            "a process per bucket", one_by_one, one_by_one * buckets / in_one_go,
            note="with Python's start; the models are opened once, against once for each bucket"),
        Row("our own work in one go", median(run.own for run in runs), "s per bucket",
            note="what the assets name as their seconds, what they write to Dagster's log included; median"),
        Row("outside of our own work, in one go", median(run.outside for run in runs[1:]), "s per bucket",
            note="the first bucket, which opens the models, is left out; median"),
        Row("outside of our own work, a process per bucket", median(seconds - run.own for seconds, run in singles),
            "s per bucket", note="Python's start and imports, and Dagster; median"),
        *_growth(runs),
        Row("the same buckets again, nothing new", again, "s", note="in all; most of it is Python starting"),
    ]  # fmt: skip


def _growth(runs: list[Run]) -> list[Row]:
    """Whether the last buckets cost more than the first; the very first opens the models and is left out."""
    tenth = max(2, len(runs) // 10)
    first, last = runs[1 : 1 + tenth], runs[-tenth:]
    rows = []
    for name, kind in (("a bucket", "wall"), ("outside of our own work", "outside")):
        before, after = (median(getattr(run, kind) for run in some) for some in (first, last))
        rows.append(
            Row(f"{name}, last tenth", after, "s per bucket", "first tenth", before, after / before,
                note=f"medians of {tenth} buckets")
        )  # fmt: skip
    return rows


class _Homes:
    """Fresh homes with some of the same buckets."""

    def __init__(self, scratch: Path, pack: str, models_root: Path) -> None:
        self._scratch, self._pack, self._models_root = scratch, pack, models_root
        self._made = 0
        self.names: list[str] = []

    def with_buckets(self, names: list[str]) -> RealHome:
        """A home; the names of the first one are all there are."""
        from facesets_dagster.home import init_home

        self.names = self.names or names
        self._made += 1
        home = RealHome(self._scratch / f"home {self._made}", self._pack, self._models_root)
        init_home(home.settings, say=lambda _: None, automation=False)
        for name in names:
            shutil.copytree(self._scratch / "photos" / name, home.folder / "buckets" / name)
        return home


def _all_in(home: RealHome, *names: str) -> tuple[float, list[Run]]:
    """`facesets run NAMES` in a process of its own: its seconds, and the runs in it."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.many_buckets", *names],
        cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"the run failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return seconds, [Run(**run) for run in json.loads(done.stdout.splitlines()[-1])]


def write_buckets(root: Path, buckets: int) -> list[str]:
    """Names of buckets with ten photos each; no two photos have the same bytes."""
    photos = sorted(path for path in (SHARED / "data" / "labelled").rglob("*") if path.suffix.lower() == ".jpg")
    names = [f"bucket {number:04d}" for number in range(buckets)]
    for number in range(buckets * PHOTOS):
        place = root / names[number // PHOTOS] / f"{number:05d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(changed_photo(photos[number % len(photos)], number // len(photos)))
    return names


def changed_photo(photo: Path, variant: int) -> bytes:
    """The photo encoded again; each variant is a little darker than the one before and has other bytes."""
    stream = io.BytesIO()
    with Image.open(photo) as picture:
        shade = 1 - 0.004 * (variant % 50)
        picture.convert("RGB").point(lambda value: round(value * shade)).save(
            stream, "JPEG", quality=95 - variant // 50, comment=f"variant {variant}".encode()
        )
    return stream.getvalue()


@contextmanager
def _timed_runs() -> Iterator[list[dict[str, float]]]:
    """One entry per bucket: the seconds of its run, and those that its assets name."""
    from facesets_dagster.cli import run as command

    found: list[dict[str, float]] = []
    work = command._run

    def timed(*arguments: Any) -> command.BucketResult:
        started = time.perf_counter()
        result = work(*arguments)
        wall = time.perf_counter() - started
        own = sum(float(values.get("seconds", 0)) for values in result.metadata.values())
        found.append({"wall": wall, "own": own})
        return result

    command._run = timed
    try:
        yield found
    finally:
        command._run = work


def main(names: list[str]) -> None:
    """In the child: the runs, and their seconds as the last line."""
    from rich.console import Console

    from facesets_dagster.cli.run import run_buckets
    from facesets_dagster.settings import load_settings

    said = io.StringIO()
    with _timed_runs() as found:
        code = run_buckets(load_settings(), names, None, Console(file=said))
    if code:
        sys.exit(said.getvalue())
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])

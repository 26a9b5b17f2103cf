"""`make bench`: every benchmark, or the one that is named; JSON and a table under `benchmarks/results/`.

    python -m benchmarks.run [NAME]

Those marked long take over 10 minutes and run by name only.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibrate_thresholds import calibrate
from benchmarks.curation import measure_curation
from benchmarks.duplicates import measure_duplicates
from benchmarks.homes import REPOSITORY, SHARED
from benchmarks.results_file import Row, write_results
from benchmarks.sample_run import measure_sample
from benchmarks.systems import measure_systems
from benchmarks.three_buckets import LENIENT, measure_orders
from benchmarks.ui_load import measure_ui_load
from facesets_dagster.embedding.packs import EMBEDDED, pull_pack

MODELS = REPOSITORY / ".venv" / "share" / "facesets-models"
REFERENCE = str(SHARED / "models" / "buffalo_sc")


@dataclass(frozen=True)
class Benchmark:
    """A measurement and when it runs."""

    measure: Callable[[], list[Row]]
    shared: bool = True
    """Needs the labelled photos beside the repository."""
    long: bool = False


def _orders(pack: str, config: str = "") -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        return measure_orders(pack, MODELS, Path(scratch), config)


BENCHMARKS = {
    "sample": Benchmark(lambda: measure_sample(MODELS), shared=False),
    "ui_load": Benchmark(lambda: measure_ui_load(MODELS), shared=False),
    "thresholds_embedded": Benchmark(lambda: calibrate(SHARED / "data", REFERENCE, EMBEDDED, MODELS)),
    "thresholds_mbf128": Benchmark(
        lambda: calibrate(SHARED / "data", REFERENCE, str(SHARED / "models" / "mbf128"), MODELS)
    ),
    "curation_buffalo_sc": Benchmark(lambda: measure_curation(REFERENCE, MODELS)),
    "curation_embedded": Benchmark(lambda: measure_curation(EMBEDDED, MODELS)),
    "curation_mbf128": Benchmark(lambda: measure_curation(str(SHARED / "models" / "mbf128"), MODELS)),
    "duplicates": Benchmark(lambda: measure_duplicates(REFERENCE)),
    "systems_buffalo_sc": Benchmark(lambda: measure_systems(REFERENCE, MODELS)),
    "orders_buffalo_sc": Benchmark(lambda: _orders(REFERENCE)),
    "orders_small_faces_buffalo_sc": Benchmark(lambda: _orders(REFERENCE, LENIENT)),
}


def main(arguments: list[str]) -> int:
    """Runs what is named, or everything that is not long."""
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. Known: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 1
    pull_pack(EMBEDDED, MODELS, print)
    for name in arguments or [name for name, benchmark in BENCHMARKS.items() if not benchmark.long]:
        print(f"\n## {name}\n")
        if BENCHMARKS[name].shared and not SHARED.is_dir():
            print(f"not measured: the labelled photos and packs are not at {SHARED}; FACESETS_SHARED says where")
            continue
        print(f"\n{write_results(name, BENCHMARKS[name].measure())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make bench`: every benchmark, or the one that is named; JSON and a table under `benchmarks/results/`.

    python -m benchmarks.run [NAME]

Those marked long take over 10 minutes and run by name only.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.clustering import measure_clustering, measure_hdbscan, measure_million
from benchmarks.commands import measure_commands
from benchmarks.consolidation import measure_consolidation
from benchmarks.consumers import measure_consumers
from benchmarks.duplicates import measure_duplicates
from benchmarks.embedding import measure_embedding
from benchmarks.embedding_gpu import measure_embedding_gpu
from benchmarks.feeding import measure_feeding
from benchmarks.filled import measure_filled
from benchmarks.identity import measure_identity
from benchmarks.imports import measure_imports
from benchmarks.many_buckets import measure_many_buckets
from benchmarks.misses import measure_misses
from benchmarks.registry_scale import measure_registry_growth, measure_registry_scale
from benchmarks.rescan import measure_rescan
from benchmarks.results_file import write_results
from benchmarks.review import measure_review
from benchmarks.review_size import measure_review_size
from benchmarks.rulings import measure_rulings
from benchmarks.sample_run import measure_sample
from benchmarks.simulation import measure_simulation
from benchmarks.stages import measure_stages
from benchmarks.ui_load import measure_ui_load
from benchmarks.what_if import measure_what_if
from facesets_dagster.embedding.packs import EMBEDDED, pull_pack
from testing.measurements.curation import measure_curation
from testing.measurements.row import Row
from testing.measurements.systems import measure_systems
from testing.measurements.three_buckets import LENIENT, measure_orders
from testing.paths import REPOSITORY, SHARED

MODELS = REPOSITORY / ".venv" / "share" / "facesets-models"
REFERENCE = str(SHARED / "models" / "buffalo_sc")
PACKS = {"buffalo_sc": REFERENCE, "embedded": EMBEDDED, "mbf128": str(SHARED / "models" / "mbf128")}


@dataclass(frozen=True)
class Benchmark:
    """A measurement and when it runs."""

    measure: Callable[[], list[Row]]
    shared: bool = True
    """Needs the labelled photos beside the repository."""
    long: bool = False
    embedded: bool = False
    """Needs the embedded pack, which is pulled before."""


def _orders(pack: str, config: str = "") -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        return measure_orders(pack, MODELS, Path(scratch), config)


def _filled() -> list[Row]:
    """Both packs, each row under the pack's name."""
    found = [(Path(pack).name, measure_filled(pack, MODELS)) for pack in (REFERENCE, EMBEDDED)]
    return [replace(row, name=f"{pack}: {row.name}") for pack, rows in found for row in rows]


BENCHMARKS = {
    "sample": Benchmark(lambda: measure_sample(MODELS), shared=False, embedded=True),
    "ui_load": Benchmark(lambda: measure_ui_load(MODELS), shared=False, embedded=True),
    "ui_load_10000": Benchmark(lambda: measure_ui_load(MODELS, buckets=10_000), shared=False, long=True, embedded=True),
    "identity": Benchmark(lambda: measure_identity(PACKS, MODELS), long=True, embedded=True),
    "review": Benchmark(
        lambda: measure_review({name: PACKS[name] for name in ("buffalo_sc", "embedded")}, MODELS),
        long=True,
        embedded=True,
    ),
    "review_size": Benchmark(measure_review_size, shared=False, long=True),
    "curation_buffalo_sc": Benchmark(lambda: measure_curation(REFERENCE, MODELS)),
    "curation_embedded": Benchmark(lambda: measure_curation(EMBEDDED, MODELS), embedded=True),
    "curation_mbf128": Benchmark(lambda: measure_curation(str(SHARED / "models" / "mbf128"), MODELS)),
    "embedding": Benchmark(lambda: measure_embedding(REFERENCE, MODELS)),
    "feeding": Benchmark(lambda: measure_feeding(REFERENCE, MODELS)),
    "embedding_gpu": Benchmark(lambda: measure_embedding_gpu(REFERENCE, MODELS)),
    "misses": Benchmark(lambda: measure_misses(REFERENCE, MODELS), embedded=True, long=True),
    "rulings": Benchmark(lambda: measure_rulings(REFERENCE, MODELS), embedded=True, long=True),
    "duplicates": Benchmark(lambda: measure_duplicates(REFERENCE)),
    "systems_buffalo_sc": Benchmark(lambda: measure_systems(REFERENCE, MODELS)),
    "consolidation": Benchmark(lambda: measure_consolidation(REFERENCE, MODELS)),
    "consumers": Benchmark(lambda: measure_consumers(REFERENCE, MODELS)),
    "simulation": Benchmark(lambda: measure_simulation(REFERENCE, MODELS), embedded=True),
    "filled": Benchmark(_filled, embedded=True, long=True),
    "what_if": Benchmark(lambda: measure_what_if(REFERENCE, MODELS), long=True),
    "clustering": Benchmark(measure_clustering, shared=False),
    "clustering_hdbscan": Benchmark(measure_hdbscan, shared=False, long=True),
    "clustering_million": Benchmark(measure_million, shared=False, long=True),
    "imports": Benchmark(lambda: measure_imports(EMBEDDED, MODELS), shared=False, embedded=True),
    "commands": Benchmark(lambda: measure_commands(MODELS), shared=False, embedded=True),
    "rescan": Benchmark(lambda: measure_rescan(REFERENCE, MODELS, 100_000)),
    "rescan_million": Benchmark(lambda: measure_rescan(REFERENCE, MODELS, 1_000_000, beside=100_000), long=True),
    "many_buckets": Benchmark(lambda: measure_many_buckets(REFERENCE, MODELS, 15)),
    "many_buckets_1000": Benchmark(lambda: measure_many_buckets(REFERENCE, MODELS, 1_000), long=True),
    "registry_scale": Benchmark(measure_registry_scale, shared=False),
    "registry_growth_1000": Benchmark(lambda: measure_registry_growth(1_000), shared=False, long=True),
    "stages": Benchmark(lambda: measure_stages(REFERENCE, MODELS, 1_000)),
    "stages_10000": Benchmark(lambda: measure_stages(REFERENCE, MODELS, 10_000), long=True),
    "orders_buffalo_sc": Benchmark(lambda: _orders(REFERENCE)),
    "orders_small_faces_buffalo_sc": Benchmark(lambda: _orders(REFERENCE, LENIENT)),
}


def main(arguments: list[str]) -> int:
    """Runs what is named, or everything that is not long."""
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. Known: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 1
    for name in arguments or [name for name, benchmark in BENCHMARKS.items() if not benchmark.long]:
        print(f"\n## {name}\n")
        if BENCHMARKS[name].shared and not SHARED.is_dir():
            print(f"not measured: the labelled photos and packs are not at {SHARED}; FACESETS_SHARED says where")
            continue
        if BENCHMARKS[name].embedded:
            pull_pack(EMBEDDED, MODELS, print)
        print(f"\n{write_results(name, BENCHMARKS[name].measure())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

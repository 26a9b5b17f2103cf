"""One person with several names, for the tests of consolidation; merging, undoing, and what can be seen of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from facesets_dagster.definitions import build_defs
from facesets_dagster.registry.dialect import make_engine
from facesets_dagster.registry.tables import metadata
from testing.fake_home import FakeHome
from testing.fakes import write_looks

STRICT: dict[str, dict[str, Any]] = {
    "osrc_uncovered": {"cover_distance": 0.0},
    "osrc_clusters": {"rematch_distance": 0.0, "min_faces": 3},
}
"""Run config under which nobody is known from another bucket."""
LEFT, MIDDLE, RIGHT = [-0.9, -0.45, 0.0], [-0.6, -0.15, 0.3], [0.45, 0.68, 0.9]
"""Looks of one person; no two sets have one in common, and their centroids are near."""
_HISTORY = ("rulings", "ruling_faces", "ruling_names", "merges", "stood_before", "kept_folders")
"""Tables that remember what was decided, also after it was taken back."""
_RUN_KEYS = ("run_id", "undone_by", "generation")


def meet(home: FakeHome, *looks: list[float], person: int = 1) -> list[str]:
    """A bucket for each set of looks, `a`, `b` ..., and the facesets that they found: all of one person."""
    home.begin(_meet, looks, person)
    return [f"faceset_{number:03d}" for number in range(1, len(looks) + 1)]


def _meet(home: FakeHome, looks: Sequence[list[float]], person: int) -> None:
    for bucket, variants in zip("abcdefg", looks, strict=False):
        write_looks(home.buckets / bucket, person, variants)
        home.run(bucket, **STRICT)


def sort_by_hand(home: FakeHome, *folders: tuple[str, list[float]], person: int = 1) -> None:
    """A hand-sorted folder for each name and set of looks."""
    for folder, variants in folders:
        write_looks(home.people / folder, person, variants)
    home.materialize("hand_sorted_facesets")


def apply(home: FakeHome, *groups: list[str], **config: Any) -> dg.ExecuteInProcessResult:
    return home.materialize("applied_rulings", applied_rulings={"merges": [list(group) for group in groups], **config})


def undo(home: FakeHome, *names: str) -> dg.ExecuteInProcessResult:
    return home.materialize("applied_rulings", applied_rulings={"undo": list(names)})


def run_job(home: FakeHome, job: str, **ops: dict[str, Any]) -> dg.ExecuteInProcessResult:
    """A job over the whole library; keywords are run config per asset."""
    defs = build_defs(home.settings, overrides={"embedder": home.embedder})
    return defs.resolve_job_def(job).execute_in_process(
        run_config={
            "ops": {name: {"config": config} for name, config in ops.items()},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        instance=home.instance,
    )


def proposals(home: FakeHome, **config: Any) -> dg.ExecuteInProcessResult:
    return home.materialize("merge_proposals", merge_proposals=config)


def propose(home: FakeHome, **config: Any) -> list[dict[str, Any]]:
    """Rows of the table of proposals."""
    import polars as pl

    proposals(home, **config)
    return pl.read_parquet(home.settings.tables_dir / "merge_proposals" / "all.parquet").to_dicts()


def live(home: FakeHome) -> list[str]:
    return sorted(identity.name for identity in home.library.registry.identities() if identity.live)


def visible(home: FakeHome) -> dict[str, bytes]:
    """Every file of the library but the archive of what was retired."""
    return {name: data for name, data in home.files().items() if not name.startswith("_retired/")}


def manifest(home: FakeHome, name: str = "") -> dict[str, Any]:
    return json.loads((home.settings.library_dir / name / "manifest.json").read_text())


def graves(home: FakeHome) -> dict[str, str | None]:
    """Name -> where its tombstone in the manifest leads."""
    return {stone["name"]: stone["merged_into"] for stone in manifest(home)["tombstones"]}


def rows(home: FakeHome) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the registry but the history of rulings and what counts runs."""
    found = {}
    with make_engine(home.settings.database_url).connect() as connection:
        for name, table in metadata.tables.items():
            if name in _HISTORY or name in ("meta", "generations", "pending_moves"):
                continue
            columns = [column for column in table.columns if column.name != "changed"]
            found[name] = sorted((tuple(row) for row in connection.execute(sa.select(*columns))), key=repr)
    return found


def without_stamps(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files that do not say which run made them."""
    return {name: data for name, data in files.items() if Path(name).suffix not in (".json", ".txt")}

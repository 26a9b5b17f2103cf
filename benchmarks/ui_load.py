"""How the UI bears a large home: 1,000 buckets with 200,000 made-up faces, or ten times that, beside one bucket.

Events carry as much metadata as the budget lets them (contact sheets of 200 kB); the tables are random, no photo is
read. What a person waits for is measured in both homes: the pages in a browser, the report index, `facesets status`.
"""

import json
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import sqlalchemy as sa

from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.definitions import build_defs
from facesets_dagster.embedding.packs import EMBEDDED
from facesets_dagster.files.writing import sha256_of, write_json, write_text
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.publishing.funnel import STATES
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import DECISION_SCHEMA
from facesets_dagster.reports.contact_sheet import MAX_MARKDOWN_BYTES
from facesets_dagster.reports.index import RunLine, add_run
from testing.dev_server import dev_server
from testing.homes import RealHome
from testing.measurements.row import Row

PER_BUCKET = ("face_cache", "osrc_uncovered", "osrc_clusters", "swap_ready_facesets")
UNPARTITIONED = ("existing_centroids", "top_manifest")
FACES = 200
"""Per bucket."""


def measure_ui_load(models_root: Path, buckets: int = 1000) -> list[Row]:
    """Seconds in the large home, with the small one as the peer."""
    with tempfile.TemporaryDirectory() as scratch:
        small = _measured(make_home(Path(scratch) / "small" / "home", models_root, 1))
        large = _measured(make_home(Path(scratch) / "large" / "home", models_root, buckets))
        biggest = metadata_bytes(Path(scratch) / "large" / "home")
    rows = [
        Row(name, round(seconds, 2), "s", "home with one bucket", round(small[name], 2),
            round(seconds / max(small[name], 1e-3), 1), note=f"{buckets} buckets, {buckets * FACES} faces")
        for name, seconds in large.items()
    ]  # fmt: skip
    index = large["report index"]
    rows.append(Row("report index opens", round(index, 3), "s", target="<= 1", met=index <= 1))
    rows.append(
        Row("largest metadata entry of an unpartitioned asset", biggest, "bytes", target=f"<= {MAX_MARKDOWN_BYTES}",
            met=biggest <= MAX_MARKDOWN_BYTES)
    )  # fmt: skip
    return rows


def make_home(folder: Path, models_root: Path, buckets: int) -> RealHome:
    """A home as it is after a run of each bucket, without photos; the unpartitioned assets really run."""
    home = RealHome(folder, EMBEDDED, models_root)
    home.facesets("init")
    keys = [f"bucket {number:04d}" for number in range(buckets)]
    for key in keys:
        (folder / "buckets" / key).mkdir(parents=True)
    _fill_registry(home, keys)
    with instance_of(home.settings) as instance:
        instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), keys)
        for key in keys:
            for asset in PER_BUCKET:
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(asset, partition=key, metadata=_metadata(asset == "swap_ready_facesets"))
                )
        _fill_index(home.settings.reports_dir, keys)
        job = build_defs(home.settings).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name) for name in UNPARTITIONED], raise_on_error=True
        )
        assert result.success
    return home


def _fill_index(reports_dir: Path, keys: list[str]) -> None:
    """A line for each bucket; the last makes the page."""
    lines = [RunLine(key, f"run-{key}", "2026-01-01T00:00:00", "2 founded", FACES, 9) for key in keys]
    write_text(reports_dir / "runs.jsonl", "".join(json.dumps(asdict(line)) + "\n" for line in lines[:-1]))
    add_run(reports_dir, lines[-1])


def metadata_bytes(folder: Path) -> int:
    """The largest metadata entry of the unpartitioned assets in a home."""
    home = RealHome(folder, EMBEDDED, folder)
    sizes = [0]
    with instance_of(home.settings) as instance:
        for name in UNPARTITIONED:
            event = instance.get_latest_materialization_event(dg.AssetKey(name))
            assert event is not None
            assert event.asset_materialization is not None
            sizes += [len(str(entry.value)) for entry in event.asset_materialization.metadata.values()]
    return max(sizes)


def _measured(home: RealHome) -> dict[str, float]:
    found = {"facesets status": _seconds(lambda: home.facesets("status"))}
    began = time.monotonic()
    with dev_server(home, home.folder / "dev.log") as address:
        found["server answers"] = time.monotonic() - began
        found["report index"] = _seconds(lambda: urllib.request.urlopen(f"{address}/files/reports/index.html").read())
        found.update(_pages(address))
    return found


def _pages(address: str) -> dict[str, float]:
    """Seconds until a page shows what it is for, in a browser; the second visit counts."""
    from playwright.sync_api import sync_playwright

    from testing.browser import browser_path

    wanted = {
        "lineage graph": ("/asset-groups/", "top_manifest"),
        "asset page of a partition": (
            "/assets/swap_ready_facesets?view=partitions&partition=bucket%200000",
            "contact_sheet",
        ),
        "asset page of top_manifest": ("/assets/top_manifest", "tombstones"),
        "launchpad": ("/locations/__repository__@facesets_dagster.definitions:defs/jobs/discover_identities/playground",
                      "Launch Run"),
    }  # fmt: skip
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        for name, (path, text) in wanted.items():
            for _ in range(2):
                began = time.monotonic()
                page.goto(address + path)
                page.get_by_text(text).first.wait_for()
                found[name] = time.monotonic() - began
        browser.close()
    return found


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _metadata(pictures: bool) -> dict[str, object]:
    counts = {"faces": FACES, "files": FACES // 2, "seconds": 12.5, "exported": 9}
    sheet = dg.MetadataValue.md("x" * (MAX_MARKDOWN_BYTES - 100))
    return {**counts, **({"contact_sheet": sheet, "contact_sheet_not_exported": sheet} if pictures else {})}


def _fill_registry(home: RealHome, keys: list[str]) -> None:
    """Two identities and 200 decisions a bucket; a manifest for each faceset, so that the merge has something to do."""
    library, model, rng = home.library, home.model(), np.random.default_rng(0)
    identities, numbers = [], []
    for number in range(1, 2 * len(keys) + 1):
        name, bucket = f"faceset_{number:03d}", keys[(number - 1) // 2]
        manifest = {
            "schema_version": 1, "name": name, "run_id": "run", "model": {"model_id": model.model_id}, "faces": [],
            "excluded": [{"face_id": f"{number:016d}", "state": "outlier", "value": 0.6, "threshold": 0.5}],
        }  # fmt: skip
        write_json(library.folder / name / "manifest.json", manifest)
        vector = rng.normal(size=model.dim).astype(np.float32)
        identities.append(
            {"name": name, "number": number, "kind": "discovered", "bucket": bucket, "live": True, "founded": number,
             "run_id": "run", "model_id": model.model_id, "centroid": (vector / np.linalg.norm(vector)).tobytes(),
             "manifest_sha256": sha256_of(library.folder / name / "manifest.json")}
        )  # fmt: skip
        numbers.append({"number": number, "name": name, "run_id": "run"})
    runs = [
        {"bucket": key, "inputs_digest": "", "identity_parameters": "{}", "model_id": model.model_id, "run_id": "run",
         "finished_at": "2026-01-01T00:00:00"}
        for key in keys
    ]  # fmt: skip
    with library.registry.engine.begin() as connection:
        connection.execute(sa.insert(t.identities), identities)
        connection.execute(sa.insert(t.numbers), numbers)
        connection.execute(sa.insert(t.bucket_runs), runs)
        for key in keys:
            connection.execute(sa.insert(t.decisions), _decisions(key, rng).to_dicts())


def _decisions(bucket: str, rng: np.random.Generator) -> pl.DataFrame:
    head = f"{bucket[-4:]:0>16}"
    frame = pl.DataFrame(
        {
            "face_id": [f"{head}-{number:04d}-0000" for number in range(FACES)],
            "state": rng.choice([state for state in STATES if state != "exported"], FACES),
            "nearest_distance": rng.uniform(0.3, 1.2, FACES),
            "source_missing": [False] * FACES,
            "truncated": [False] * FACES,
        }
    )
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in DECISION_SCHEMA.items() if name not in frame.columns]
    return frame.with_columns(*missing, bucket=pl.lit(bucket))

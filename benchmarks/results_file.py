"""The JSON of a benchmark, in the schema that the contract gives, and a table beside it."""

import json
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from benchmarks.gpu import gpu_name
from testing.measurements.row import Row

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("dagster", "insightface", "numpy", "onnxruntime", "onnxruntime-gpu", "polars", "scikit-learn")


def write_results(name: str, rows: Sequence[Row]) -> Path:
    """Writes `benchmarks/results/<name>.json` and `.md`, and prints the table."""
    gpu = gpu_name()
    result = {
        "schema_version": 1,
        "name": name,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "gpu": gpu,
        },
        "versions": _versions(),
        "rows": [asdict(row) for row in rows],
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    heading = f"# {name}\n\n{result['date']}, {_cpu()}, {os.cpu_count()} cores{f', {gpu}' if gpu else ''}\n\n"
    path.with_suffix(".md").write_text(f"{heading}{table(rows)}\n", encoding="utf-8")
    print(table(rows))
    return path


def _versions() -> dict[str, str]:
    """Of what is installed: there is one ONNX Runtime or the other."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def table(rows: Sequence[Row]) -> str:
    """The rows in markdown."""
    lines = [
        "| figure | value | unit | peer | ratio | target | met | note |",
        "| --- | ---: | --- | --- | ---: | --- | --- | --- |",
    ]
    for row in rows:
        met = {True: "yes", False: "no", None: ""}[row.met]
        peer = f"{row.peer} {_number(row.peer_value)}".strip()
        cells = (row.name, _number(row.value), row.unit, peer, _number(row.ratio), row.target, met, row.note)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    sets = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_tile") if f" {name}" in flags]
    return f"{names[0] if names else platform.processor()} ({', '.join(sets)})"

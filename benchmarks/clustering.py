"""Clustering against its peers on the hard set: seconds, memory, the same labels; and what a million faces take.

Every measurement is a process of its own (`clustering_jobs`), ours and the peers by turns. Those that take over a
minute run once. `clustering_hdbscan` and `clustering_million` run by name only; the million, stopped, goes on where it
was.
"""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from testing.measurements.row import Row
from testing.paths import REPOSITORY

SMALL, MIDDLE, LARGE, MILLION = 5_000, 20_000, 100_000, 1_000_000
ROUNDS = 3
SLOWEST = ("HDBSCAN (scikit-learn)", "hdbscan")
"""Peers that run with 20,000 faces by name only: `clustering_hdbscan`."""
SLOW = ("scikit-learn", "scipy", *SLOWEST)
"""Peers that run once with 20,000 faces."""
EXACT = ("scikit-learn", "scipy", "fastcluster")
PEERS = (*EXACT, *SLOWEST, "DBSCAN", "Chinese whispers")
PEOPLE = 10_000

Answer = dict[str, float]


def job(name: str, /, **arguments: object) -> Answer:
    """What a job answers; its standard error is shown."""
    command = [sys.executable, "-m", "benchmarks.clustering_jobs", name, json.dumps(arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    answer: Answer = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure_clustering() -> list[Row]:
    """All but the million and HDBSCAN with 20,000 faces."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*_first_calls(Path(folder))]
        compared: dict[int, dict[str, Answer]] = {}
        for count in (SMALL, MIDDLE):
            peers = [peer for peer in PEERS if count == SMALL or peer not in SLOWEST]
            compared[count], shares = _by_turns(Path(folder), count, peers)
            rows += _against(count, compared[count], shares)
        return [
            *rows,
            *_large(Path(folder), compared[MIDDLE]),
            *_cannot_link(Path(folder)),
            *_coverage(Path(folder), LARGE),
        ]


def measure_hdbscan() -> list[Row]:
    """20,000 faces against HDBSCAN."""
    with tempfile.TemporaryDirectory() as folder:
        return _against(MIDDLE, *_by_turns(Path(folder), MIDDLE, list(SLOWEST)))


def _faces(folder: Path, count: int) -> str:
    path = folder / f"{count}.npy"
    if not path.exists():
        job("make_faces", rows=str(path), count=count)
    return str(path)


def _by_turns(folder: Path, count: int, peers: list[str]) -> tuple[dict[str, Answer], dict[str, float]]:
    """Medians of each, and the share of faces that the exact peers label as we do."""
    rows, found = _faces(folder, count), {name: list[Answer]() for name in ("ours", *peers)}
    labels = {name: folder / f"{name}-{count}.npy" for name in ("ours", *(peer for peer in peers if peer in EXACT))}
    for turn in range(ROUNDS):
        found["ours"].append(job("ours", rows=rows, labels=str(labels["ours"])))
        for peer in peers:
            if turn and (count == MIDDLE and peer in SLOW):
                continue
            answer = job("peer", rows=rows, name=peer, labels=str(labels.get(peer, "")))
            if "missing" not in answer or not turn:
                found[peer].append(answer)
    ours = np.load(labels.pop("ours"))
    shares = {peer: float((np.load(path) == ours).mean()) for peer, path in labels.items() if path.exists()}
    return {name: _median(answers) for name, answers in found.items()}, shares


def _median(answers: list[Answer]) -> Answer:
    if not answers or "missing" in answers[0]:
        return answers[0] if answers else {}
    return {key: median(answer[key] for answer in answers) if isinstance(value, int | float) else value
            for key, value in answers[0].items()}  # fmt: skip


def _against(count: int, found: dict[str, Answer], shares: dict[str, float]) -> list[Row]:
    ours, rows = found["ours"], list[Row]()
    goals = {"scikit-learn": 45.0 if _has_vnni() else 25.0, "fastcluster": 8.0} if count == MIDDLE else {}
    for peer, answer in found.items():
        if peer == "ours":
            continue
        name = f"{count:,} faces against {peer}"
        if "seconds" not in answer:
            rows.append(Row(name, None, "s", peer, note=str(answer.get("missing", "not run"))))
            continue
        ratio = answer["seconds"] / ours["seconds"]
        goal = goals.get(peer)
        rows.append(
            Row(name, ours["seconds"], "s", peer, answer["seconds"], ratio, f">= {goal:g} times" if goal else "",
                ratio >= goal if goal else None,
                f"{'once' if count == MIDDLE and peer in SLOW else f'median of {ROUNDS}'}; processor time "
                f"{answer['processor_seconds'] / ours['processor_seconds']:.1f} times ours")
        )  # fmt: skip
        less = answer["peak_mb"] / ours["peak_mb"]
        held = peer in goals
        rows.append(
            Row(f"{count:,} faces against {peer}, peak memory", ours["peak_mb"], "MB", peer, answer["peak_mb"], less,
                "<= 1/6" if held else "", less >= 6 if held else None)
        )  # fmt: skip
    rows += [
        Row(f"{count:,} faces labelled as by {peer}", share, "share", target="1", met=share == 1.0)
        for peer, share in shares.items()
    ]
    return rows


def _large(folder: Path, middle: dict[str, Answer]) -> list[Row]:
    """100,000 faces, ours only."""
    large = job("ours", rows=_faces(folder, LARGE))
    scikit = middle.get("scikit-learn", {}).get("seconds")
    less = scikit is not None and large["seconds"] < scikit
    growth = math.log(large["seconds"] / middle["ours"]["seconds"]) / math.log(LARGE / MIDDLE)
    kind = "8-bit integers" if large["integer"] else "float32"
    rate, best = large["product_rate"], large["best_rate"]
    return [
        Row("100,000 faces", large["seconds"], "s", "scikit-learn, 20,000 faces", scikit,
            scikit / large["seconds"] if scikit else None, "less", less if scikit else None,
            f"{large['edges'] / 1e6:.1f} million pairs within 0.55"),
        Row("100,000 faces, peak memory", large["peak_mb"], "MB", target="<= 1,500", met=large["peak_mb"] <= 1500),
        Row("growth from 20,000 to 100,000 faces", growth, "exponent", note="2: every pair is looked at"),
        Row("20,000 faces: share of the matrix product", middle["ours"]["product_share"], "share",
            note=f"of the whole, by the clock; {middle['ours']['processor_share']:.2f} of the processor time"),
        Row("100,000 faces: share of the matrix product", large["product_share"], "share", target=">= 0.8",
            met=large["product_share"] >= 0.8,
            note=f"of the whole, by the clock; {large['processor_share']:.2f} of the processor time"),
        Row("100,000 faces: rate of the matrix product", rate, "giga-operations/s", f"best product of {kind} here",
            best, rate / best, note="in the linkage against the best of four shapes, all cores"),
    ]  # fmt: skip


def _cannot_link(folder: Path) -> list[Row]:
    found = job("cannot_link", rows=_faces(folder, MIDDLE))
    ratio = found["bound"] / found["free"]
    return [
        Row("20,000 faces with cannot-link pairs", found["bound"], "s", "without", found["free"], ratio, "<= 1.1 times",
            ratio <= 1.1, f"{found['pairs']:.0f} pairs of one photo; medians of 5, by turns in one process")
    ]  # fmt: skip


def _coverage(folder: Path, count: int) -> list[Row]:
    """The coverage step on a made-up home."""
    home = folder / f"home-{count}"
    shutil.rmtree(home, ignore_errors=True)  # of a call that was stopped
    job("make_coverage", home=str(home), count=count, people=PEOPLE, dim=512)
    found = job("coverage", home=str(home), dim=512)
    shutil.rmtree(home)
    note = f"{found['members']:,.0f} members already, a fifth of the identities founded by the bucket"
    note += "" if count == MILLION else "; clustering_million measures 1,000,000"
    return [
        Row(f"coverage of {count:,} faces by {PEOPLE:,} identities", found["seconds"], "s", note=note),
        Row(f"coverage of {count:,} faces by {PEOPLE:,} identities, peak memory", found["peak_mb"], "MB",
            target="<= 2,000", met=found["peak_mb"] <= 2000, note="with imports; read as osrc_uncovered reads it"),
    ]  # fmt: skip


def _first_calls(folder: Path) -> list[Row]:
    """What a fresh process pays for the first linkage, imports and compilation included."""
    rows = []
    for count in (300, SMALL):
        seconds = median(job("first_call", rows=_faces(folder, count))["seconds"] for _ in range(ROUNDS))
        rows.append(Row(f"first linkage of a process, {count:,} faces", seconds, "s", note="imports included"))
    return rows


def measure_million() -> list[Row]:
    """1,000,000 faces, exactly; interrupted, the next call goes on."""
    folder = Path(tempfile.gettempdir()) / "facesets-clustering-million"
    folder.mkdir(exist_ok=True)
    rows = _faces(folder, MILLION)
    found = job("million", rows=rows, scratch=str(folder / "scratch"))
    again = f"; went on with {found['strips_before']:.0f} strips of an earlier call" if found["strips_before"] else ""
    figures = [
        Row("1,000,000 faces", found["seconds"] / 60, "minutes", target="<= 60", met=found["seconds"] <= 3600,
            note=f"{found['clusters']:.0f} clusters{again}"),
        Row("1,000,000 faces, peak memory", found["peak_mb"], "MB", target="<= 12,000", met=found["peak_mb"] <= 12_000),
        *_coverage(folder, MILLION),
    ]  # fmt: skip
    shutil.rmtree(folder)
    return figures


def _has_vnni() -> bool:
    """Whether this CPU has 8-bit dot products."""
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False

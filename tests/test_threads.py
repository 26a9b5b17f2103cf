"""How many cores work is shared among: those that the process may use, by affinity and by its container's quota."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from facesets_dagster import threads
from facesets_dagster.threads import cores, in_blocks, quota_of


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(
    ("limits", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({}, math.inf),
        ({"pods/cpu.max": "50000 100000\n", "cpu.max": "max 100000\n"}, 0.5),
        ({"pods/one/cpu.max": "400000 100000\n", "pods/cpu.max": "200000 100000\n"}, 2.0),
        ({"pods/other/cpu.max": "10000 100000\n", "pods/one/cpu.max": "max 100000\n"}, math.inf),
        ({"unified/pods/one/cpu.max": "300000 100000\n"}, 3.0),
    ],
)
def test_the_least_limit_of_the_group_and_those_above_it_counts(
    tmp_path: Path, limits: dict[str, str], quota: float
) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/pods/one\n")
    for path, text in limits.items():
        write(tmp_path, f"sys/fs/cgroup/{path}", text)
    assert quota_of(tmp_path) == quota


@pytest.mark.parametrize(("given", "quota"), [("250000", 2.5), ("-1", math.inf)])
@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize("folder", ["docker/abc", "."])
def test_the_first_version_of_control_groups_is_read_too(
    tmp_path: Path, given: str, quota: float, mount: str, folder: str
) -> None:
    """In a container the group's own path may be the host's, while its files lie at the top."""
    write(tmp_path, "proc/self/cgroup", f"4:memory:/docker/abc\n2:{mount}:/docker/abc\n0::/\n")
    write(tmp_path, f"sys/fs/cgroup/{mount}/{folder}/cpu.cfs_quota_us", f"{given}\n")
    write(tmp_path, f"sys/fs/cgroup/{mount}/{folder}/cpu.cfs_period_us", "100000\n")
    write(tmp_path, "sys/fs/cgroup/memory/docker/abc/cpu.cfs_quota_us", "1\n")
    assert quota_of(tmp_path) == quota


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert quota_of(tmp_path) == math.inf


@pytest.mark.parametrize(("pinned", "quota", "expected"), [(8, math.inf, 8), (8, 1.5, 2), (2, 6.0, 2), (4, 0.2, 1)])
def test_cores_are_those_of_the_affinity_and_no_more_than_the_quota(
    monkeypatch: pytest.MonkeyPatch, pinned: int, quota: float, expected: int
) -> None:
    monkeypatch.setattr(threads, "_pinned_cores", lambda: pinned)
    monkeypatch.setattr(threads, "quota_of", lambda: quota)
    assert cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_a_process_pinned_to_one_core_counts_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from facesets_dagster.threads import cores; print(cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize("count", [0, 1, 8192, 20_000])
def test_blocks_make_up_all_rows(count: int) -> None:
    rows: list[int] = []
    in_blocks(count, lambda top, end: rows.extend(range(top, end)))
    assert sorted(rows) == list(range(count))

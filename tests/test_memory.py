"""What the memory limit of a container leaves to photos, read from a made-up system."""

from pathlib import Path

import psutil
import pytest

from facesets_dagster.memory import memory_bytes
from facesets_dagster.photos.workers.limits import PhotoLimits

GIGABYTE = 1_000_000_000


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/pods/one\n", {"pods/one/memory.max": "1000000000\n"}, GIGABYTE),
        ("0::/pods/one\n", {"pods/one/memory.max": "max\n", "pods/memory.max": "500000000\n"}, GIGABYTE // 2),
        ("0::/\n", {"memory.max": "750000000\n"}, GIGABYTE * 3 // 4),
        ("0::/of/the/host\n", {"memory.max": "750000000\n"}, GIGABYTE * 3 // 4),
        ("4:memory:/docker/one\n", {"memory/docker/one/memory.limit_in_bytes": "1000000000\n"}, GIGABYTE),
        ("4:memory:/of/the/host\n", {"memory/memory.limit_in_bytes": "1000000000\n"}, GIGABYTE),
        ("4:memory:/\n0::/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("0::/pods/one\n", {"pods/one/memory.max": "max\n"}, None),
        ("0::/pods/one\n", {"pods/other/memory.max": "1000\n"}, None),
        ("0::/pods/one\n", {"pods/one/memory.max": "no number\n"}, None),
        ("", {}, None),
    ],
)
def test_memory_is_the_machines_and_no_more_than_the_least_limit_of_its_container(
    tmp_path: Path, groups: str, limits: dict[str, str], expected: int | None
) -> None:
    write(tmp_path, "proc/self/cgroup", groups)
    for path, text in limits.items():
        write(tmp_path, f"sys/fs/cgroup/{path}", text)
    machine = psutil.virtual_memory().total
    assert memory_bytes(tmp_path) == (machine if expected is None else min(expected, machine))


def test_photos_get_half_of_what_a_container_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facesets_dagster.photos.workers.limits.memory_bytes", lambda: GIGABYTE)
    assert PhotoLimits.of(None, 2000, 120).memory_bytes == GIGABYTE // 2

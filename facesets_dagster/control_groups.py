"""Limits that the system's control groups (Linux; containers) set for this process. Nothing on other systems.

A group may have no more than the groups above it, so the least limit counts. A container may see its own group as the
root of `sys/fs/cgroup` and yet its path as the host has it; a path that is not there has no limit.
"""

import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath


def least_limit(controller: str, limit_of: Callable[[Path], float], root: Path = Path("/")) -> float:
    """The least limit of this process's groups and those above them, infinite without one.

    `controller`: `cpu`, `memory`; `limit_of`: the limit that one group's folder states; `root`: where `proc` and `sys`
    lie.
    """
    least = math.inf
    for line in text_of(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mounts = ("", "unified") if not controllers else (controllers, controller)
        for mount in mounts:
            group = PurePosixPath(path.lstrip("/"))
            for above in (group, *group.parents):
                least = min(least, limit_of(root / "sys/fs/cgroup" / mount / above))
    return least


def text_of(path: Path) -> str:
    """What a file holds; nothing where it cannot be read: other systems than Linux have no control groups."""
    try:
        return path.read_text()
    except OSError:
        return ""

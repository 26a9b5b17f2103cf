"""How much memory this process may use: what the machine has, and no more than its container's limit."""

import math
from functools import cache
from pathlib import Path

from facesets_dagster.control_groups import least_limit, text_of


@cache
def memory_bytes(root: Path = Path("/")) -> int:
    """Bytes; read once. `root`: where `proc` and `sys` lie."""
    import psutil

    return int(min(psutil.virtual_memory().total, least_limit("memory", _limit_of, root)))


def _limit_of(group: Path) -> float:
    """Bytes that one control group allows: `memory.max` of version 2, `memory.limit_in_bytes` of version 1."""
    limits = [text_of(group / name).strip() for name in ("memory.max", "memory.limit_in_bytes")]
    return min((int(limit) for limit in limits if limit.isdecimal()), default=math.inf)

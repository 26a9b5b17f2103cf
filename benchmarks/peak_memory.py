"""How much memory this process has held at most."""

import resource
import sys
from pathlib import Path


def peak_mb() -> float:
    """Resident, in MB; on Linux of this program alone, not of the one that started it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10

"""Which GPU a figure was taken on."""

import shutil
import subprocess


def gpu_name() -> str | None:
    """Of the first GPU of NVIDIA, as its driver names it; None without one."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = told.stdout.strip().splitlines()
    return lines[0] if told.returncode == 0 and lines else None

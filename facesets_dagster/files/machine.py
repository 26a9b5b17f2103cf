"""Where a process number means what it says: one boot of one kernel, one PID namespace.

Two machines on a shared folder can have the same host name, and in containers every program can be process 1; only a
process of the same place can be looked up by its number.
"""

import hashlib
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


@cache
def place_of_processes() -> str:
    """Of this boot and PID namespace: 12 hex digits."""
    try:
        namespace = os.readlink(_PID_NAMESPACE)
    except OSError:  # no Linux
        namespace = ""
    return hashlib.sha256(f"{_boot_id()} {namespace}".encode()).hexdigest()[:12]


def lives_here(pid: int) -> bool:
    """Whether this place has a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        asked = subprocess.run(["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    return f"{socket.gethostname()} {psutil.boot_time():.0f}"

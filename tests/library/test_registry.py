"""The registry's tables: made once, whoever comes first."""

import subprocess
import sys
import time
from pathlib import Path

_CREATE = """
import sys, time
from facesets_dagster.library.registry import Registry
registry = Registry(sys.argv[1])
while time.time() < float(sys.argv[2]):
    pass
registry.create()
assert registry.generation() == 0
"""


def test_four_processes_that_meet_a_fresh_registry_at_one_moment_make_one(tmp_path: Path) -> None:
    at = str(time.time() + 3)
    command = [sys.executable, "-c", _CREATE, f"sqlite:///{tmp_path / 'registry.db'}", at]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said

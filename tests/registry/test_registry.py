"""The registry's tables: made once, whoever comes first. Its generation: counts whatever is written."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.labels import give_label

pytestmark = pytest.mark.both_databases

_CREATE = """
import sys
from facesets_dagster.registry.registry import Registry
registry = Registry(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
registry.create()
assert registry.generation() == 0
"""


def test_four_processes_that_meet_a_fresh_registry_at_one_moment_make_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _CREATE, f"sqlite:///{tmp_path / 'registry.db'}"]
    pipe = subprocess.PIPE
    children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("now\n")
        child.stdin.flush()
    for child in children:
        _, said = child.communicate()
        assert child.returncode == 0, said


@pytest.mark.both_databases(fast=True)
def test_labels_that_are_given_at_one_moment_raise_the_generation_one_by_one(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 6)
    fake_home.run("a")
    registry = fake_home.library.registry
    before = registry.generation()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda label: give_label(registry, "faceset_001", label), map(str, range(40))))
    assert registry.generation() == before + 40

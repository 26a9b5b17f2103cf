"""Two machines on one folder: the same process number, the same host name, another boot.

Each test failed before temporary names, locks and runs knew the place of their process.
"""

import os
from pathlib import Path

import dagster as dg
import pytest

from testing.fake_home import FakeHome
from testing.machines import HOST, Machine, why_no_machines
from tests.test_run_process import started_run

_SLOW_WRITE = """
import sys
from pathlib import Path
from facesets_dagster.files.writing import write_stream
def slowly(stream):
    stream.write(sys.argv[2].encode() * 1000)
    print("half", flush=True)
    input()
    stream.write(sys.argv[2].encode() * 1000)
write_stream(Path(sys.argv[1]), slowly)
print(Path(sys.argv[1]).read_text() == sys.argv[2] * 2000)
"""
_WHO = """
import os, socket
from facesets_dagster.files.machine import place_of_processes
print(os.getpid(), socket.gethostname(), place_of_processes())
"""
_TIDIES = """
import sys
from pathlib import Path
from facesets_dagster.files.writing import remove_leftovers
remove_leftovers(Path(sys.argv[1]))
"""
_HOLDS = """
import sys
from pathlib import Path
from facesets_dagster.library.lock import library_lock
with library_lock(Path(sys.argv[1]), "the run of the first", say=print):
    print("held", flush=True)
    input()
"""
_WANTS = """
import sys
from pathlib import Path
from facesets_dagster.errors import LibraryLocked
from facesets_dagster.library.lock import library_lock
try:
    with library_lock(Path(sys.argv[1]), "the second", say=print, timeout_seconds=0.3):
        print("has it")
except LibraryLocked as error:
    print(error)
"""
_WORKS = """
import sys, dagster as dg
from facesets_dagster.resources.run_process import note_process
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    note_process(instance, sys.argv[2])
    print("works", flush=True)
    input()
"""
_ENDS_DEAD_RUNS = """
import sys, dagster as dg
from facesets_dagster.registry.registry import registry_at
from facesets_dagster.resources.run_process import end_dead_runs
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    print(end_dead_runs(instance, registry_at(sys.argv[2])))
"""


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Machine, Machine]:
    reason = why_no_machines()
    if reason is not None:
        pytest.skip(reason)
    return Machine(tmp_path), Machine(tmp_path)


def test_they_differ_in_their_boot_alone(machines: tuple[Machine, Machine]) -> None:
    first, second = (machine.run(_WHO).split() for machine in machines)
    assert first[:2] == second[:2] == ["1", HOST]
    assert first[2] != second[2]


def test_two_that_write_one_file_at_once_do_not_get_each_others_bytes(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    with machines[0].start(_SLOW_WRITE, folder / "file", "a") as first:
        assert first.said() == "half"
        with machines[1].start(_SLOW_WRITE, folder / "file", "b") as second:
            assert second.said() == "half"
            assert len(list(folder.glob(".*.tmp"))) == 2
            first.go_on()
            assert first.result() == "True"
            second.go_on()
            assert second.result() == "True"
    assert (folder / "file").read_text() == "b" * 2000
    assert os.listdir(folder) == ["file"]


def test_what_one_is_writing_is_no_leftover_for_the_other(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with machines[0].start(_SLOW_WRITE, folder / "file", "a") as first:
        assert first.said() == "half"
        machines[1].run(_TIDIES, folder)
        machines[0].run(_TIDIES, folder)  # another container on the first
        first.go_on()
        assert first.result() == "True"


def test_one_that_waits_for_the_library_says_for_whom(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    library = tmp_path / "library"
    with machines[0].start(_HOLDS, library) as first:
        assert first.said() == "held"
        said = machines[1].run(_WANTS, library)
        assert f"was held by the run of the first (process 1 on {HOST}, since " in said
        first.die()
    said = machines[1].run(_WANTS, library)
    assert said.endswith("has it")
    assert "was left locked by the run of the first" in said


@pytest.mark.slow
def test_a_run_of_one_is_ended_by_the_other_only_when_it_is_dead(
    machines: tuple[Machine, Machine], fake_home: FakeHome, tmp_path: Path
) -> None:
    """The second has a process of that number too: every program is number 1."""
    registry, place = fake_home.library.registry, tmp_path / "instance"
    registry.create()
    place.mkdir()
    address = fake_home.settings.database_url
    with dg.DagsterInstance.local_temp(str(place)) as instance:
        run_id = started_run(instance, "")
        with machines[0].start(_WORKS, place, run_id) as first:
            assert first.said() == "works"
            assert machines[1].run(_ENDS_DEAD_RUNS, place, address) == "[]"
            first.die()
        assert machines[1].run(_ENDS_DEAD_RUNS, place, address) == f"['{run_id}']"
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.FAILURE

"""A run whose process was killed is ended; a living one and one of another machine are left alone."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.automation.sensors import dead_run_sensor
from facesets_dagster.files.writing import remove_leftovers
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.run_process import PROCESS_TAG, end_dead_runs, this_process
from testing.fake_home import FakeHome
from testing.fakes import write_person


def started_run(instance: dg.DagsterInstance, process: str) -> str:
    run = instance.create_run_for_job(dg.job(name="a_job")(lambda: None), tags={PROCESS_TAG: process})
    instance.handle_run_event(
        run.run_id, dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="a_job")
    )
    return run.run_id


def test_only_runs_whose_process_is_gone_are_ended(tmp_path: Path, fake_home: FakeHome) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    host, place, pid, start = this_process().split("/")
    assert int(pid) == os.getpid()
    registry = fake_home.library.registry
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "other")) as instance:
        alive = started_run(instance, this_process())
        elsewhere = started_run(instance, f"another machine/0123456789ab/{child.pid}/{start}")
        dead = started_run(instance, f"{host}/{place}/{child.pid}/{start}")
        given_again = started_run(instance, f"{host}/{place}/{pid}/{int(start) - 1000}")
        of_an_earlier_state = started_run(instance, f"{host}/{child.pid}/{start}")
        assert set(end_dead_runs(instance, registry)) == {dead, given_again, of_an_earlier_state}
        states = {run.run_id: run.status for run in instance.get_runs()}
        assert {states[alive], states[elsewhere]} == {dg.DagsterRunStatus.STARTED}
        assert {states[dead], states[given_again]} == {dg.DagsterRunStatus.FAILURE}
        skipped = dead_run_sensor(
            dg.build_sensor_context(instance=instance, resources={"home": HomeResource.of(fake_home.settings)})
        )
        assert skipped == dg.SkipReason("every run that is under way has its process")


_WORKS = """
import os, sys, time, dagster as dg
from facesets_dagster.files.writing import temporary_for
from facesets_dagster.resources.run_process import note_process
from pathlib import Path
with dg.DagsterInstance.from_config(sys.argv[1]) as instance, temporary_for(Path(sys.argv[3])) as temporary:
    note_process(instance, sys.argv[2])
    temporary.touch()
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode != 0
    if shutil.which("unshare") else True,
    reason="no namespace of processes can be made here",
)  # fmt: skip
def test_a_process_of_another_container_is_not_taken_for_dead_until_it_is(tmp_path: Path, fake_home: FakeHome) -> None:
    """Two containers on one folder with one host name: what has a number there has none here."""
    registry, command = fake_home.library.registry, ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = started_run(instance, "")
        script = [sys.executable, "-c", _WORKS, str(tmp_path), run_id, str(tmp_path / "a")]
        with subprocess.Popen([*command, *script], stdout=subprocess.PIPE, text=True, env=environment) as other:
            assert other.stdout is not None
            assert other.stdout.readline().strip() == "1"
            remove_leftovers(tmp_path)
            assert list(tmp_path.glob(".*.tmp"))
            assert end_dead_runs(instance, registry) == []
            other.kill()
        deadline = time.monotonic() + 30  # the end of its child is the system's to bring about
        while not (ended := end_dead_runs(instance, registry)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ended == [run_id]


def test_every_run_notes_its_process(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 1)
    result = fake_home.run("a")
    (run,) = fake_home.instance.get_runs()
    assert run.run_id == result.run_id
    assert run.tags[PROCESS_TAG] == this_process()

"""A run whose process was killed is ended; a living one and one of another machine are left alone."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from facesets_dagster.automation.sensors import dead_run_sensor
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
    host, pid, start = this_process().rsplit("/", 2)
    assert int(pid) == os.getpid()
    registry = fake_home.library.registry
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "other")) as instance:
        alive = started_run(instance, this_process())
        elsewhere = started_run(instance, f"another machine/{child.pid}/{start}")
        dead = started_run(instance, f"{host}/{child.pid}/{start}")
        given_again = started_run(instance, f"{host}/{pid}/{int(start) - 1000}")
        assert set(end_dead_runs(instance, registry)) == {dead, given_again}
        states = {run.run_id: run.status for run in instance.get_runs()}
        assert {states[alive], states[elsewhere]} == {dg.DagsterRunStatus.STARTED}
        assert {states[dead], states[given_again]} == {dg.DagsterRunStatus.FAILURE}
        skipped = dead_run_sensor(
            dg.build_sensor_context(instance=instance, resources={"home": HomeResource.of(fake_home.settings)})
        )
        assert skipped == dg.SkipReason("every run that is under way has its process")


def test_every_run_notes_its_process(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 1)
    result = fake_home.run("a")
    (run,) = fake_home.instance.get_runs()
    assert run.run_id == result.run_id
    assert run.tags[PROCESS_TAG] == this_process()

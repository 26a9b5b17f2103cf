"""Real daemons: killed in a tick and in a run that the sensor requested, two on one home, a command beside a run."""

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from testing.dev_server import ask, dev_server
from testing.homes import RealHome, files_below
from testing.paths import REPOSITORY

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(3000)]
PATIENCE_SECONDS = 900
BUCKETS = ("family album", "trip")
AUTOMATIC = {"FACESETS_AUTOMATION": "on", "FACESETS_SETTLE_SECONDS": "1"}


@pytest.fixture
def home(tmp_path: Path, embedded_models_root: Path, sample: Path) -> RealHome:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root, AUTOMATIC).made()
    for bucket in BUCKETS:
        shutil.copytree(sample / bucket, home.folder / "buckets" / bucket)
    return home


@pytest.fixture
def undisturbed(home: RealHome, tmp_path: Path) -> set[frozenset[str]]:
    other = replace(home, folder=tmp_path / "undisturbed")
    shutil.copytree(home.folder, other.folder)
    other.facesets("run")
    return people_of(other)


def people_of(home: RealHome) -> set[frozenset[str]]:
    """The faces of everybody; numbers follow the order of the runs, which is the daemon's."""
    members = home.library.registry.members(
        [identity.name for identity in home.library.registry.identities() if identity.live]
    )
    return {frozenset(faces) for faces in members.values()}


@contextmanager
def daemon(home: RealHome) -> Iterator["subprocess.Popen[bytes]"]:
    """`make dev` in a group of its own, which is killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(home.folder.parent / f"dev {port}.log", "wb") as log:
        command = [sys.executable, "-m", "facesets_dagster.web.dev", "-p", str(port)]
        child = subprocess.Popen(
            command, cwd=REPOSITORY, env=home.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield child
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, f"{what} never happened"
        time.sleep(0.1)


def all_up_to_date(home: RealHome) -> bool:
    """And no run is queued or at work any more."""
    done = home.library.registry.folder_digests(BUCKETS)
    under_way = "runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
    return all(done.get(bucket) for bucket in BUCKETS) and not rows_of(home, "history/runs.db", under_way)


def require_sound(home: RealHome) -> None:
    home.facesets("verify")
    assert "Nothing to do" in home.facesets("run")
    numbers = [identity.number for identity in home.library.registry.identities()]
    assert len(set(numbers)) == len(numbers)


def test_daemons_that_are_killed_in_ticks_and_runs_come_to_the_same_library(
    home: RealHome, undisturbed: set[frozenset[str]]
) -> None:
    rng = random.Random(4)
    for what, count, longest in (
        ("a tick", ticks, 0.5),
        ("a requested run", runs, 0.5),
        ("a photo that is read", parts_of_caches, 1.0),
        ("a tick", ticks, 0.1),
        ("a file of a face set", files_of_facesets, 0.3),
    ):
        before = count(home)
        with daemon(home):
            wait_for(what, lambda count=count, before=before: count(home) > before or all_up_to_date(home))  # type: ignore[misc]
            time.sleep(rng.uniform(0, longest))
    with daemon(home):
        wait_for("the end of all runs", lambda: all_up_to_date(home))
    require_sound(home)
    assert people_of(home) == undisturbed


def ticks(home: RealHome) -> int:
    return rows_of(home, "schedules/schedules.db", "job_ticks")


def runs(home: RealHome) -> int:
    return rows_of(home, "history/runs.db", "runs")


def parts_of_caches(home: RealHome) -> int:
    return sum(path.endswith(".parquet") for path in files_below(home.folder, "cache/faces"))


def files_of_facesets(home: RealHome) -> int:
    return sum("/faceset_" in path for path in files_below(home.folder, "facesets_swap_ready"))


def rows_of(home: RealHome, database: str, table: str) -> int:
    path = home.folder / "dagster" / database
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


def test_two_daemons_on_one_home(home: RealHome, undisturbed: set[frozenset[str]]) -> None:
    with daemon(home), daemon(home):
        wait_for("the end of all runs", lambda: all_up_to_date(home))
        time.sleep(20)  # for what else the two may begin
    home.facesets("verify")
    home.facesets("run")
    require_sound(home)
    assert people_of(home) == undisturbed


def test_a_command_beside_a_run_of_the_ui(home: RealHome, undisturbed: set[frozenset[str]], tmp_path: Path) -> None:
    by_hand = replace(home, more={"FACESETS_AUTOMATION": "off"})
    location = "facesets_dagster.definitions:defs"
    with dev_server(by_hand, tmp_path / "log") as address:
        added = ask(
            address,
            f'mutation {{ addDynamicPartition(partitionKey: "trip", partitionsDefName: "source_bucket", '
            f'repositorySelector: {{repositoryName: "__repository__", repositoryLocationName: "{location}"}}) '
            "{ __typename } }",
        )
        launched = ask(
            address,
            'mutation { launchRun(executionParams: {selector: {jobName: "discover_identities", '
            f'repositoryName: "__repository__", repositoryLocationName: "{location}"}}, '
            'runConfigData: {}, executionMetadata: {tags: [{key: "dagster/partition", value: "trip"}]}}) '
            "{ __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", (added, launched)
        said = by_hand.facesets("run", *BUCKETS)
        assert "Traceback" not in said
        query = f'{{ runOrError(runId: "{launched["run"]["runId"]}") {{ ... on Run {{ status }} }} }}'
        wait_for("the end of the run", lambda: ask(address, query)["runOrError"]["status"] in ("SUCCESS", "FAILURE"))
        assert ask(address, query)["runOrError"]["status"] == "SUCCESS"
    by_hand.facesets("run")
    require_sound(by_hand)
    assert people_of(by_hand) == undisturbed

"""Code location, daemon and web server as `deploy/` starts them, without containers; runs through their launchers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from testing.homes import RealHome
from testing.http import ask_http
from testing.paths import REPOSITORY
from testing.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DEPLOY = REPOSITORY / "deploy"
_SECONDS = 180
"""In which a process must answer."""


@dataclass(frozen=True)
class Deployed:
    """A home whose `dagster.yaml` is the one of an engine, with this test's places in it."""

    home: RealHome
    folder: Path

    @contextmanager
    def process(self, name: str, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A process of the deployment; its log lies in the folder."""
        with (
            open(self.folder / f"{name}.log", "wb") as log,
            subprocess.Popen(
                command, cwd=REPOSITORY, env=self.home.environment, stdout=log, stderr=log, start_new_session=True
            ) as process,
        ):
            try:
                yield process
            finally:
                os.killpg(process.pid, signal.SIGKILL)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-3000:]


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Any, what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def deployed(engine: str, server: PostgresServer, sample: Path, models: Path, folder: Path) -> Deployed:
    schema = server.fresh().rpartition("%3D")[2]
    config = yaml.safe_load((DEPLOY / engine / "dagster.yaml").read_text())
    options = {"options": f"-csearch_path={schema}"}
    config["storage"]["postgres"]["postgres_db"] |= {
        "hostname": "127.0.0.1", "port": server.port, "db_name": "postgres", "params": options,
    }  # fmt: skip
    config["compute_logs"]["config"]["base_dir"] = str(folder / "compute_logs")
    config["local_artifact_storage"]["config"]["base_dir"] = str(folder / "artifacts")
    if engine == "celery":
        launcher = config["run_launcher"]["config"]
        launcher |= in_folders(folder)
        (folder / "worker.yaml").write_text(yaml.safe_dump({"execution": {"config": in_folders(folder)}}))
    (folder / "dagster").mkdir()
    (folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(config))
    place = f"facesets@127.0.0.1:{server.port}/postgres?options=-csearch_path%3D{schema}"
    more = {
        "DAGSTER_HOME": str(folder / "dagster"),
        "FACESETS_BUCKETS": str(sample),
        "FACESETS_DATABASE_URL": f"postgresql://{place}",
        "FACESETS_DAGSTER_DATABASE_PASSWORD": "hunter2",
        "FACESETS_WEB_HOSTS": "localhost",
    }
    return Deployed(RealHome(folder / "home", "embedded", models, more), folder)


def in_folders(folder: Path) -> dict[str, Any]:
    """A broker of files in the place of Redis."""
    for name in ("queue", "results", "control"):
        (folder / name).mkdir(exist_ok=True)
    queue = str(folder / "queue")
    transport = {"data_folder_in": queue, "data_folder_out": queue, "control_folder": str(folder / "control")}
    return {
        "broker": "filesystem://",
        "backend": f"file://{folder / 'results'}",
        "config_source": {"broker_transport_options": transport},
    }


@pytest.mark.parametrize("engine", ["compose", "celery"])
def test_the_three_processes_run_a_bucket_that_a_command_puts_into_the_queue(
    engine: str, postgres: PostgresServer, sample: Path, embedded_models_root: Path, tmp_path: Path
) -> None:
    if engine == "celery":
        pytest.importorskip("dagster_celery", reason="the extra `celery` is not installed here")
    here = deployed(engine, postgres, sample, embedded_models_root, tmp_path)
    here.home.facesets("init", "--no-automation")
    code, web = a_free_port(), a_free_port()
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    workspace["load_from"][0]["grpc_server"] |= {"host": "127.0.0.1", "port": code}
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    places = {"4000": str(code), "3000": str(web), "0.0.0.0": "127.0.0.1",
              "/opt/dagster/workspace.yaml": str(tmp_path / "workspace.yaml"),
              "/opt/dagster/worker.yaml": str(tmp_path / "worker.yaml")}  # fmt: skip
    names = ["code-location", "daemon", "webserver", *(["worker"] if engine == "celery" else [])]
    programs = {
        "dagster": [sys.executable, "-m", "dagster"],
        "python": [sys.executable],
        "dagster-daemon": [sys.executable, "-m", "dagster._daemon"],
        "dagster-celery": [sys.executable, "-c", "from dagster_celery.cli import main; main()"],
    }
    with ExitStack() as processes:
        for name in names:
            program, *arguments = services[name]["command"]
            command = [*programs[program], *(places.get(argument, argument) for argument in arguments)]
            processes.enter_context(here.process(name, *command))
            if name == "code-location":
                until(lambda: is_open(code), here.log(name))
        until(lambda: is_open(web), "the web server does not answer")
        assert ask_http(f"http://127.0.0.1:{web}", "/server_info", headers={"Host": "localhost"}).status == 200
        answers = (launched(here) for _ in range(20))  # the first ones until the daemon has said that it is there
        said = next(answer for answer in answers if "No Dagster daemon" not in answer)
        (row,) = json.loads(said[said.index("{") : said.rindex("}") + 1])["buckets"]
        assert (row["result"], row["problem"]) == ("done", None), here.log("daemon")
        assert "sound" in here.home.facesets("verify")
    for path in here.home.folder.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def launched(here: Deployed) -> str:
    """What `facesets run --launch` says."""
    child = here.home.start("run", "trip", "--launch", "--json")
    said, _ = child.communicate(timeout=600)
    return str(said)

"""`make dev`: its last line is the address, a port in use is said, and Ctrl-C ends it however it was started."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.web.dev import require_free
from testing.dev_server import answers, ask
from testing.homes import RealHome
from testing.paths import REPOSITORY

pytestmark = pytest.mark.timeout(600)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dev(home: RealHome, port: int) -> "subprocess.Popen[str]":
    """As a shell without job control starts it in the background: with SIGINT ignored."""
    return subprocess.Popen(
        [sys.executable, "-m", "facesets_dagster.web.dev", "--port", str(port)],
        cwd=REPOSITORY,
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )


@pytest.fixture
def home(tmp_path: Path, embedded_models_root: Path) -> RealHome:
    made = RealHome(tmp_path / "home", "embedded", embedded_models_root)
    made.facesets("init", "--automation")
    return made


def test_the_address_is_the_last_line_and_ctrl_c_leaves_nothing(home: RealHome) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    child = dev(home, port)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == f"starting Dagster for the home {home.folder}; Ctrl-C ends it\n"
        assert child.stdout.readline() == f"{address}\n"
        began = sum(processor_seconds(one) for one in [psutil.Process(child.pid), *services(child)])
        assert began < 4 * seconds_of_import("dagster_webserver.cli"), f"{began:.1f} s until the first page"
        assert answers(address)
        deadline = time.monotonic() + 120
        while not ticks(address) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert ticks(address), "the daemon runs the sensor"
        started = services(child)
        assert len(started) == 3
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=120)
        assert (rest, child.returncode) == ("", 0)
        assert psutil.wait_procs(started, timeout=30)[1] == []
    finally:
        child.kill()


def test_a_killed_code_server_is_started_again_and_the_services_end_with_a_killed_server(home: RealHome) -> None:
    child = dev(home, free_port())
    assert child.stdout is not None
    child.stdout.readline()
    while not (code_servers := [one for one in services(child) if "code-server" in one.cmdline()]):
        time.sleep(0.05)
    code_servers[0].kill()
    assert any(line == "the code server ended with -9 and is started again\n" for line in child.stdout)
    assert any(line.startswith("http://") for line in child.stdout)
    started = services(child)
    child.kill()
    assert psutil.wait_procs(started, timeout=120)[1] == []
    child.communicate()


def test_a_port_in_use_is_said_at_once_with_another_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"Port {port} .* `make dev PORT={port + 1}` takes another port"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


def processor_seconds(process: psutil.Process) -> float:
    """So far, the processes included that it waited for."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def seconds_of_import(module: str) -> float:
    """Processor seconds of a process that imports the module and nothing else: what this machine is worth."""
    child = subprocess.Popen([sys.executable, "-c", f"import {module}, os; os.write(1, b'x'); input()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdout is not None
    child.stdout.read(1)
    seconds = processor_seconds(psutil.Process(child.pid))
    child.communicate(b"\n")
    return seconds


def services(child: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(child.pid).children()


def ticks(address: str) -> list[object]:
    selector = '{repositoryName: "__repository__", repositoryLocationName: "facesets_dagster.definitions:defs", '
    query = f'{{ sensorOrError(sensorSelector: {selector} sensorName: "new_bucket_sensor"}})'
    found = ask(address, query + " { ... on Sensor { sensorState { ticks { status } } } } }")
    return found["sensorOrError"]["sensorState"]["ticks"]  # type: ignore[no-any-return]

"""`make dev`: the guarded web server, the daemon and one code server for both, until Ctrl-C.

    python -m facesets_dagster.web.dev [--host 127.0.0.1] [--port 3000]

What `dagster dev` starts, in half of its processor time until the first page: this process imports no Dagster, code and
web server begin at once, the daemon begins when the first page was served, and no proxy stands before the code server
(after a change of code or `.env`, start `make dev` again). The address is the last line; warnings and errors follow.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from facesets_dagster.errors import FacesetsError, SettingsError
from facesets_dagster.home import init_home
from facesets_dagster.settings import load_settings
from facesets_dagster.web.address import require_address

MODULE, ATTRIBUTE = "facesets_dagster.definitions", "defs"
_SECONDS_TO_END = 60.0


class _Ended(Exception):
    """Somebody wants the end: Ctrl-C or SIGTERM."""


@dataclass
class Services:
    """The processes, each in a group of its own: a Ctrl-C at the terminal reaches this process alone."""

    folder: Path
    """For the socket and the workspace file."""
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    pipe: tuple[int, int] = field(default_factory=os.pipe)

    @property
    def code_server(self) -> str:
        """Path of the code server's socket."""
        return str(self.folder / "code")

    def start(self, name: str, *arguments: str) -> None:
        """Starts a service of `facesets_dagster.web.service`."""
        command = [sys.executable, "-m", "facesets_dagster.web.service", name, str(self.pipe[0]), *arguments]
        self.running[name] = subprocess.Popen(command, pass_fds=[self.pipe[0]], start_new_session=True)

    def start_code_server(self) -> None:
        """Also in the place of one that ended."""
        Path(self.code_server).unlink(missing_ok=True)
        self.start(
            "code-server", "--socket", self.code_server, "--lazy-load-user-code", "--log-level", "warning",
            "--location-name", f"{MODULE}:{ATTRIBUTE}", "-m", MODULE, "-a", ATTRIBUTE, "-d", os.getcwd(),
        )  # fmt: skip

    def workspace(self) -> str:
        """The file that says where the code server is."""
        server = {
            "location_name": f"{MODULE}:{ATTRIBUTE}",
            "socket": self.code_server,
            "host": "localhost",
            "additional_metadata": {"module_name": MODULE, "attribute": ATTRIBUTE, "working_directory": os.getcwd()},
        }
        path = self.folder / "workspace.yaml"  # JSON is YAML
        path.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
        return str(path)

    def check(self) -> None:
        """Starts a code server that ended again. Raises `SettingsError` if another service ended."""
        for name, process in list(self.running.items()):
            if process.poll() is None:
                continue
            if name != "code-server":
                raise SettingsError(f"The {name} ended with {process.returncode}; the reason stands above.")
            print(f"the code server ended with {process.returncode} and is started again", file=sys.stderr)
            self.start_code_server()

    def end(self) -> None:
        """Ends all, runs that are under way included; kills what is not gone after a minute."""
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        deadline = time.monotonic() + _SECONDS_TO_END
        for process in self.running.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="make dev", description="Dagster's UI and daemon for the home.", add_help=False
    )
    parser.add_argument("--help", action="help")
    parser.add_argument("-h", "--host", default="127.0.0.1")
    parser.add_argument("-p", "--port", type=int, default=3000)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, _end)  # also where a script started this in the background, with SIGINT ignored
    signal.signal(signal.SIGTERM, _end)
    try:
        _serve(options.host, options.port)
    except _Ended:
        pass
    except FacesetsError as error:
        sys.exit(str(error))


def _end(_: int, __: FrameType | None) -> None:
    raise _Ended


def _serve(host: str, port: int) -> None:
    settings = load_settings()
    require_address(host, settings.web_hosts)
    require_free(host, port)
    init_home(settings, say=lambda text: print(text, file=sys.stderr))
    os.environ.update(settings.dagster_environment, DAGSTER_IS_DEV_CLI="1")
    print(f"starting Dagster for the home {settings.home}; Ctrl-C ends it", flush=True)
    with tempfile.TemporaryDirectory(prefix="facesets-") as folder:
        services = Services(Path(folder))
        try:
            services.start_code_server()
            workspace = services.workspace()
            services.start(
                "web-server", services.code_server, "--host", host, "--port", str(port), "--workspace", workspace,
                "--dagster-log-level", "warning", "--live-data-poll-rate", "2000",
            )  # fmt: skip
            _until_it_answers(host, port, services)
            print(f"http://{_reached(host)}:{port}", flush=True)
            services.start("daemon", "--log-level", "warning", "--workspace", workspace)
            while True:
                time.sleep(1)
                services.check()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            services.end()


def require_free(host: str, port: int) -> None:
    """Raises `SettingsError` if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {host} cannot be used ({error.strerror}): another program has it, perhaps another "
                f"`make dev`. `make dev PORT={port + 1}` takes another port."
            ) from error


def _until_it_answers(host: str, port: int, services: Services) -> None:
    while True:
        services.check()
        try:
            urllib.request.urlopen(f"http://{_reached(host)}:{port}/", timeout=60).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return


def _reached(host: str) -> str:
    """A name that reaches an address from this machine."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()

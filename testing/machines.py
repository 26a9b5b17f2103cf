"""Machines on one folder, as namespaces: each has process 1, one host name, and a boot of its own."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import IO

_NAMESPACES = ["unshare", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"]
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_BEGIN = f'hostname "$1" && mount --bind "$2" {_BOOT_ID} && shift 2 && exec "$@"'
HOST = "one-name"
"""What every machine is called."""


def why_no_machines() -> str | None:
    """Why no namespaces can be made here; None if they can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed here"
    done = subprocess.run([*_NAMESPACES, "hostname", HOST], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"namespaces are not permitted here: {done.stderr.strip()}"


class Machine:
    """A machine; its programs see this file system, and nobody's processes but their own."""

    def __init__(self, folder: Path) -> None:
        self._boot_id = folder / f"boot-{uuid.uuid4()}"
        self._boot_id.write_text(f"{uuid.uuid4()}\n")

    def start(self, program: str, *arguments: object, stdout: int | IO[bytes] = subprocess.PIPE) -> "Running":
        """Python code with these arguments, as process 1."""
        python = [sys.executable, "-c", program, *map(str, arguments)]
        command = [*_NAMESPACES, "sh", "-c", _BEGIN, "sh", HOST, str(self._boot_id), *python]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return Running(
            command,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def run(self, program: str, *arguments: object) -> str:
        """What it prints. Raises `RuntimeError` with its errors if it fails."""
        with self.start(program, *arguments) as running:
            return running.result()


class Running(subprocess.Popen[str]):
    """A program on a machine; what it prints is a message, what it is sent lets it go on."""

    def said(self) -> str:
        """Its next line."""
        assert self.stdout is not None
        return self.stdout.readline().strip()

    def go_on(self) -> None:
        """Lets it go on from `input()`."""
        assert self.stdin is not None
        self.stdin.write("\n")
        self.stdin.flush()

    def die(self) -> None:
        """Kills it with all that belongs to it, before it can notice anything."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait(30)

    def result(self) -> str:
        """All it still prints. Raises `RuntimeError` with its errors if it fails."""
        out, errors = self.communicate(timeout=120)
        if self.returncode:
            raise RuntimeError(errors[-3000:])
        return out.strip()

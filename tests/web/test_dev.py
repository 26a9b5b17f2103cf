"""`make dev` ends by Ctrl-C however it was started."""

import signal
import subprocess
import sys

from testing.paths import REPOSITORY

_STUB = """
import subprocess, sys, time
import facesets_dagster.web.dev as dev

def dev_command(**_):
    service = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"]
    print("a service ignores it:", subprocess.check_output(service, text=True), flush=True)
    time.sleep(600)

dev.dagster._cli.dev.dev_command = dev_command
dev.main()
"""


def test_a_server_that_a_script_put_in_the_background_still_hears_ctrl_c() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _STUB],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell without job control does it
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "a service ignores it: False\n"
        child.send_signal(signal.SIGINT)
        _, said = child.communicate()
        assert "KeyboardInterrupt" in said
        assert child.returncode != 0
    finally:
        child.kill()

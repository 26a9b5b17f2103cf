"""Known vulnerabilities of what `uv.lock` installs, by the database of osv.dev.

    python -m scripts.audit [--strict]

Ends with 0 whatever it finds, so that an advisory of today does not stop a build of unchanged code, and says so where
the service cannot be reached. `--strict` (`make audit`) ends with 1 for a finding and with 2 without an answer.
"""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_SECONDS = 60
_FOUND = 1
"""uv's exit code for vulnerabilities; 2 stands for no answer."""


def main(arguments: list[str]) -> int:
    """The command."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "audit", "--frozen", "--no-dev", "--quiet"]
    environment = {"UV_HTTP_RETRIES": "1", **os.environ}  # three take 40 seconds where nobody answers
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        code, said = done.returncode, (done.stdout + done.stderr).strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        code, said = 2, str(error)
    if code == _FOUND:
        print(f"warning: known vulnerabilities among the packages of uv.lock\n{said}")
    elif code:
        last = said.splitlines()[-1].strip() if said else "no reason given"
        print(f"vulnerabilities: not looked for, osv.dev gave no answer ({last})")
    return code if "--strict" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

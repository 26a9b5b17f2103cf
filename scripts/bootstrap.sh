#!/bin/sh
# Sets the project up in .venv: finds a Python, brings uv into .venv, installs what uv.lock says. A no-op when nothing
# that matters has changed. Argument: cpu or gpu; without it the last choice, else gpu where an NVIDIA driver answers.
set -eu
cd "$(dirname "$0")/.."
accel=${1:-}
if [ -z "$accel" ] && [ -f .venv/facesets-accel ]; then accel=$(cat .venv/facesets-accel); fi
if [ -z "$accel" ]; then
    if [ "$(uname -s)" = Linux ] && nvidia-smi -L >/dev/null 2>&1; then accel=gpu; else accel=cpu; fi
fi
case $accel in
cpu | gpu) ;;
*) echo "ACCEL is '$accel', expected cpu or gpu" >&2; exit 1 ;;
esac
stamp="$accel $(cat pyproject.toml uv.lock scripts/bootstrap.sh | cksum)"
if [ -f .venv/facesets-stamp ] && [ "$(cat .venv/facesets-stamp)" = "$stamp" ]; then exit 0; fi
if [ ! -x .venv/bin/python ]; then
    python=
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "No Python 3.11 to 3.13 with venv was found. Install one (Debian: python3-venv) and run make again." >&2
        exit 1
    fi
    "$python" -m venv .venv
fi
# The version and the digests of uv itself stand in uv.lock, too: a registry that serves another file is refused.
uv_locked=$(.venv/bin/python -c '
import tomllib
(uv,) = (one for one in tomllib.load(open("uv.lock", "rb"))["package"] if one["name"] == "uv")
print("uv==" + uv["version"], *("--hash=" + file["hash"] for file in uv["wheels"]))')
uv_version=$(echo "$uv_locked" | sed 's/^uv==\([^ ]*\).*/\1/')
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    echo "$uv_locked" >.venv/facesets-uv.txt
    .venv/bin/python -m pip install --quiet --no-deps --only-binary=:all: --require-hashes -r .venv/facesets-uv.txt
fi
# The two onnxruntime distributions share files: whichever goes takes the other's with it, so the kept one is put in anew.
if [ -f .venv/facesets-accel ] && [ "$(cat .venv/facesets-accel)" != "$accel" ]; then
    .venv/bin/uv pip uninstall --quiet --python .venv/bin/python onnxruntime onnxruntime-gpu || true
fi
UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never .venv/bin/uv sync --frozen --quiet --extra "$accel" --python .venv/bin/python
echo "$accel" >.venv/facesets-accel
echo "$stamp" >.venv/facesets-stamp
echo "set up in .venv for $accel"

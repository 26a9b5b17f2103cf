"""What an installation gets: digests of everything, licences, the same wheel at every build, and a wheel that works."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from testing.homes import clean_environment
from testing.paths import REPOSITORY

UV = REPOSITORY / ".venv" / "bin" / "uv"
pytestmark = pytest.mark.skipif(not UV.exists(), reason="the project was not set up by `make setup`")


def built(source: Path, target: Path, **environment: str) -> Path:
    command = [str(UV), "build", "--wheel", "--quiet", "--out-dir", str(target), str(source)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip("no package registry is in reach for the build backend")
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel


def copy_of_the_repository(folder: Path) -> Path:
    wanted = ("facesets_dagster", "pyproject.toml", "README.md", "LICENSE")
    folder.mkdir()
    for name in wanted:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    return folder


def test_a_wheel_that_is_built_twice_has_the_same_bytes(tmp_path: Path) -> None:
    first = copy_of_the_repository(tmp_path / "first")
    second = copy_of_the_repository(tmp_path / "another place")
    for path in second.rglob("*.py"):
        os.utime(path, (10**9, 10**9))
    when = {"SOURCE_DATE_EPOCH": "1700000000"}
    wheels = [built(first, tmp_path / "one", **when), built(second, tmp_path / "two", **when, TZ="Asia/Tokyo")]
    assert len({hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels}) == 1
    assert wheels[0].name == wheels[1].name


def test_the_bill_of_materials_has_digests_and_licences_and_is_the_same_again() -> None:
    command = [sys.executable, "-m", "scripts.sbom", "cpu"]
    bills = []
    for _ in range(2):
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        bills.append((REPOSITORY / "dist" / "sbom.cdx.json").read_bytes())
    assert bills[0] == bills[1]
    bill = json.loads(bills[0])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    components = {one["name"]: one for one in bill["components"]}
    assert {"dagster", "onnxruntime", "insightface", "face_recognition_sface_2021dec.onnx"} <= components.keys()
    for name, one in components.items():
        files = [one, *one.get("externalReferences", ())]
        assert any(digest["alg"] == "SHA-256" for file in files for digest in file.get("hashes", ())), name
    licences = {name: one["licenses"][0]["license"]["name"] for name, one in components.items()}
    assert licences["dagster"] == "Apache-2.0"
    stated = [name for name, licence in licences.items() if licence != "none stated" and "unknown" not in licence]
    assert len(stated) > 0.9 * len(licences)
    assert "| dagster |" in (REPOSITORY / "dist" / "licences.md").read_text()


def test_uv_itself_is_fetched_by_digest() -> None:
    script = (REPOSITORY / "scripts" / "bootstrap.sh").read_text()
    start = script.index("import tomllib")
    code = script[start : script.index("')", start)]
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    requirement, *hashes = done.stdout.split()
    (uv,) = (one for one in tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"] if one["name"] == "uv")
    assert requirement == f"uv=={uv['version']}"
    assert len(hashes) == len(uv["wheels"]) > 10
    assert all(one.startswith("--hash=sha256:") and len(one) == 78 for one in hashes)
    assert "--require-hashes" in script
    assert 'pip install --quiet "uv' not in script


def test_looking_for_vulnerabilities_never_stops_a_build_where_nobody_answers() -> None:
    environment = {
        **os.environ,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "UV_HTTP_RETRIES": "0",
    }
    for arguments, code in (([], 0), (["--strict"], 2)):
        command = [sys.executable, "-m", "scripts.audit", *arguments]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout
        assert done.stdout.startswith("vulnerabilities: not looked for, osv.dev gave no answer (")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_wheel_is_enough_for_a_run_in_an_empty_environment(tmp_path: Path) -> None:
    wheel = built(copy_of_the_repository(tmp_path / "source"), tmp_path / "wheel")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", f"{wheel}[cpu]"], capture_output=True, text=True, check=False
    )
    if "No matching distribution" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip(f"the package registry in reach is not whole: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    environment = {
        **clean_environment(),
        "FACESETS_HOME": str(tmp_path / "home"),
        "FACESETS_MODELS": str(tmp_path / "models"),
        "FACESETS_MODEL_PACK": "embedded",
    }
    environment.pop("PYTHONPATH", None)
    for arguments in (
        ["--version"],
        ["init"],
        ["sample", str(tmp_path / "home" / "buckets")],
        ["run", "trip"],
        ["verify"],
    ):
        done = subprocess.run(
            [python.with_name("facesets"), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    assert (tmp_path / "home" / "facesets_swap_ready" / "faceset_001" / "manifest.json").exists()

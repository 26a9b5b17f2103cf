"""The real web server, daemon and sensor: a folder dropped into the buckets root becomes published facesets."""

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facesets_dagster.sample.buckets import write_sample
from testing.dev_server import ask, dev_server
from testing.forked import ForkedHome


def wait_for(what: str, found: Callable[[], object], log: Path, seconds: float = 500) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen in {seconds:.0f} s; the end of the log:\n{log.read_text()[-4000:]}")
        time.sleep(0.5)


@pytest.fixture
def running(tmp_path: Path, embedded_models_root: Path) -> Iterator[tuple[ForkedHome, str, Path]]:
    """What `make dev` starts, with automation on; gives the home, the address and the log."""
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root, {"FACESETS_SETTLE_SECONDS": "2"}).made()
    home.facesets("init", "--automation")
    log = tmp_path / "dev.log"
    with dev_server(home, log) as address:
        yield home, address, log


def run_states(address: str) -> list[str]:
    runs = ask(address, "{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]
    return [run["status"] for run in runs["results"]]  # type: ignore[index]


def status_of(url: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **names})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def check_the_guard(address: str) -> None:
    """A page of another site gets nothing, the UI everything."""
    query, mutation = b'{"query": "{ version }"}', "mutation{setNuxSeen}"
    assert status_of(address)[0] == 200
    assert status_of(f"{address}/graphql", query, Origin=address)[0] == 200
    assert status_of(f"{address}/graphql?query=%7Bversion%7D")[0] == 200
    assert status_of(f"{address}/graphql", query, Origin="https://evil.example")[0] == 403
    assert status_of(f"{address}/graphql", query, Host="evil.example")[0] == 403
    assert status_of(f"{address}/graphql", query, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    refused, reason = status_of(f"{address}/graphql?query={mutation}")
    assert (refused, reason) == (405, "Refused: only queries may come by GET; send mutations by POST.\n")


@pytest.mark.timeout(600)
def test_a_dropped_bucket_is_picked_up_and_published(
    running: tuple[ForkedHome, str, Path], tmp_path: Path, embedded_models_root: Path
) -> None:
    home, address, log = running
    check_the_guard(address)
    write_sample(tmp_path / "sample", cache_dir=embedded_models_root / "sample")
    shutil.copytree(tmp_path / "sample" / "trip", home.folder / "buckets" / "trip")
    wait_for("a successful run", lambda: "SUCCESS" in run_states(address), log)
    assert run_states(address) == ["SUCCESS"]
    manifest = json.loads((home.folder / "facesets_swap_ready" / "manifest.json").read_text())
    assert len(manifest["facesets"]) >= 2
    assert {entry["bucket"] for entry in manifest["facesets"]} == {"trip"}
    home.facesets("verify")
    (status,) = json.loads(home.facesets("status", "--json"))["buckets"]
    assert (status["bucket"], status["state"]) == ("trip", "up to date")

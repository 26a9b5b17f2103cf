"""The real web server, daemon and sensor, started once, and the real UI in a real browser.

A folder is dropped into the buckets root and becomes published facesets; then a person looks and clicks, from the
lineage graph to the contact sheet.
"""

import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testing.browser import BROKEN_PICTURES, LOCATION, browser_path, open_sheet
from testing.dev_server import ask, dev_server
from testing.forked import ForkedHome

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True)
class Served:
    """What `make dev` serves, over a home with automation on; the sensor has run the bucket `trip`."""

    home: ForkedHome
    address: str
    log: Path
    states: list[str]
    """Of all runs when the first one had succeeded."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, embedded_models_root: Path, sample: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    home = ForkedHome(folder / "home", "embedded", embedded_models_root, {"FACESETS_SETTLE_SECONDS": "2"}).made()
    home.facesets("init", "--automation")
    log = folder / "dev.log"
    with dev_server(home, log) as address:
        shutil.copytree(sample / "trip", home.folder / "buckets" / "trip")
        wait_for("a successful run", lambda: "SUCCESS" in run_states(address), log)
        yield Served(home, address, log, run_states(address))


def wait_for(what: str, found: Callable[[], object], log: Path, seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen in {seconds:.0f} s; the end of the log:\n{log.read_text()[-4000:]}")
        time.sleep(0.5)


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


def test_a_page_of_another_site_gets_nothing_and_the_ui_everything(served: Served) -> None:
    address = served.address
    query, mutation = b'{"query": "{ version }"}', "mutation{setNuxSeen}"
    assert status_of(address)[0] == 200
    assert status_of(f"{address}/graphql", query, Origin=address)[0] == 200
    assert status_of(f"{address}/graphql?query=%7Bversion%7D")[0] == 200
    assert status_of(f"{address}/graphql", query, Origin="https://evil.example")[0] == 403
    assert status_of(f"{address}/graphql", query, Host="evil.example")[0] == 403
    assert status_of(f"{address}/graphql", query, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    refused, reason = status_of(f"{address}/graphql?query={mutation}")
    assert (refused, reason) == (405, "Refused: only queries may come by GET; send mutations by POST.\n")


def test_a_dropped_bucket_is_picked_up_and_published(served: Served) -> None:
    assert served.states == ["SUCCESS"]
    manifest = json.loads((served.home.folder / "facesets_swap_ready" / "manifest.json").read_text())
    assert len(manifest["facesets"]) >= 2
    assert {entry["bucket"] for entry in manifest["facesets"]} == {"trip"}
    served.home.facesets("verify")
    (status,) = json.loads(served.home.facesets("status", "--json"))["buckets"]
    assert (status["bucket"], status["state"]) == ("trip", "up to date")


def test_a_run_of_the_command_line_stands_in_timeline_and_job_and_is_executed_again(served: Served) -> None:
    served.home.facesets("run", "trip")
    of_job = ask(
        served.address,
        f'{{ runsOrError(filter: {{pipelineName: "discover_identities", tags: [{{key: ".dagster/repository", '
        f'value: "{LOCATION}"}}, {{key: "facesets/started_by", value: "command line"}}]}}) '
        "{ ... on Runs { results { runId status assetSelection { path } "
        "repositoryOrigin { repositoryName repositoryLocationName } } } } }",
    )["runsOrError"]["results"]
    ((run_id, origin),) = [(run["runId"], run["repositoryOrigin"]) for run in of_job]
    name, _, location = LOCATION.partition("@")
    assert origin == {"repositoryName": name, "repositoryLocationName": location}
    again = ask(
        served.address,
        f'mutation {{ launchRunReexecution(reexecutionParams: {{parentRunId: "{run_id}", strategy: ALL_STEPS}}) '
        "{ __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
    )["launchRunReexecution"]
    assert again["__typename"] == "LaunchRunSuccess", again
    child = again["run"]["runId"]
    query = f'{{ runOrError(runId: "{child}") {{ ... on Run {{ status }} }} }}'
    wait_for("the run again", lambda: ask(served.address, query)["runOrError"]["status"] == "SUCCESS", served.log, 300)


def choose_partition(page: "Page", name: str) -> None:
    """Types into the launchpad's box and takes what it offers; a box filled before its list came offers nothing."""
    from playwright.sync_api import TimeoutError as NothingOffered

    for _ in range(4):
        page.get_by_placeholder("Partition").fill(name)
        try:
            page.get_by_text(name, exact=True).last.click(timeout=60_000)
        except NothingOffered:
            page.reload()
        else:
            return
    pytest.fail(f"the launchpad never offered the partition {name}")


def test_a_person_sees_lineage_runs_a_partition_and_finds_pictures_and_ticks(served: Served) -> None:
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium on this system (Debian: apt install chromium)")
    from playwright.sync_api import expect, sync_playwright

    address = served.address

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(300_000)
        expect.set_options(timeout=300_000)

        page.goto(f"{address}/asset-groups/")
        for name in ("face_cache", "osrc_uncovered", "osrc_clusters", "top_manifest"):
            page.get_by_text(name, exact=True).first.wait_for()

        page.goto(f"{address}/locations/{LOCATION}/jobs/discover_identities/playground")
        choose_partition(page, "trip")
        page.get_by_role("button", name="Launch Run").click()
        page.wait_for_url(re.compile(r"/runs/"))
        expect(page.get_by_text("Success", exact=True).first).to_be_visible()

        page.goto(f"{address}/assets/swap_ready_facesets?view=partitions&partition=trip")
        page.get_by_text("funnel_picture").first.wait_for()
        assert page.locator("img[src^='data:image/svg+xml']").first.evaluate("picture => picture.naturalWidth") == 280
        open_sheet(page)
        sheet = page.locator("img[src^='data:image/jpeg']").first
        sheet.wait_for()
        assert sheet.evaluate("picture => picture.naturalWidth") > 700
        page.get_by_role("button", name="Close").click()
        report = page.get_by_text("the report of this run").first.get_attribute("href")
        page.goto(f"{address}{report}")
        assert page.locator("h1").inner_text() == "trip"
        assert page.locator("h3", has_text="faceset_001").count() == 1
        page.get_by_role("link", name="photos and people of this bucket").click()
        assert page.locator("h1").inner_text() == "trip"
        assert page.evaluate(BROKEN_PICTURES)["broken"] == []
        page.get_by_role("link", name="faceset_001").last.click()
        assert page.locator("h1").inner_text() == "faceset_001"
        shown = page.evaluate(BROKEN_PICTURES)
        assert (shown["broken"], shown["count"] > 10) == ([], True)

        page.goto(f"{address}/locations/{LOCATION}/sensors/new_bucket_sensor")
        page.get_by_text("runs requested").first.wait_for()
        chromium.close()

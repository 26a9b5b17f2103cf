"""The first hour of a new user: README's commands, the real server, daemon, sensor and browser, over one home.

`make demo` and `make dev`; then a folder of 40 photos of known and new people is dropped in while the server runs. It
is picked up, people are named, found, explained and exported by the command line, and the pages are looked at. At the
end Ctrl-C stops the server.
"""

import json
import re
import shlex
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.sample.buckets import jpeg_bytes
from facesets_dagster.sample.people import photo_of, portraits
from testing.browser import BROKEN_PICTURES, LOCATION, browser_path, open_sheet
from testing.dev_server import ask, dev_server
from testing.forked import ForkedHome
from testing.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(1200)


DROPPED = "summer 2024"
"""The bucket of 40 photos: 14 of `t1_1` and 12 of `t1_2`, whom the family album knows, and 14 of somebody new."""


@dataclass(frozen=True)
class Run:
    """A run, as the UI's pages ask for it."""

    job: str
    status: str
    location: str | None
    """The code location that it belongs to; Timeline and job pages list only runs that have one."""
    bucket: str | None

    def is_done_of(self, bucket: str) -> bool:
        """Whether it has taken in this bucket."""
        return (self.status, self.bucket) == ("SUCCESS", bucket)


@dataclass(frozen=True)
class Served:
    """What `make dev` serves after `make demo`; the sensor has run the bucket `DROPPED`."""

    home: ForkedHome
    address: str
    quickstart: list[tuple[str, str, str]]
    """Command of the quickstart, what the page shows, what was printed after `make demo`."""
    demo: list[Run]
    """Runs of `make demo`, as Dagster shows them."""
    log: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, embedded_models_root: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    home = ForkedHome(folder / "home", "embedded", embedded_models_root, {"FACESETS_SETTLE_SECONDS": "2"}).made()
    home.facesets("init", "--automation")
    home.facesets("sample", str(home.folder / "buckets"))
    home.facesets("run")
    quickstart = [(command, shown, printed_by(home, command)) for command, shown in commands_of("docs/quickstart.md")]
    log = folder / "dev.log"
    with dev_server(home, log) as address:
        demo = runs(address)
        photos_of_known_and_new_people(folder / DROPPED, embedded_models_root)
        shutil.copytree(folder / DROPPED, home.folder / "buckets" / DROPPED)
        wait_for("a run of the new bucket", lambda: any(run.is_done_of(DROPPED) for run in runs(address)), log)
        yield Served(home, address, quickstart, demo, log)


def commands_of(page: str) -> list[tuple[str, str]]:
    """The commands of a page's code blocks that begin with `$ facesets`, and what follows each."""
    blocks = re.findall(r"^```\n\$ (facesets .*?)\n(.*?)^```", (REPOSITORY / page).read_text(), re.M | re.S)
    assert blocks, page
    return blocks


def printed_by(home: ForkedHome, command: str) -> str:
    """Standard output and standard error, whatever the exit code."""
    said, _ = home.start(*shlex.split(command)[1:]).communicate()
    return said.replace(str(home.folder), "data")


def as_shown(text: str) -> list[str]:
    """Lines without what does not show; decimals may differ in the last place from CPU to CPU."""
    return [re.sub(r"\d\.\d+", "#", line.rstrip()) for line in text.splitlines() if line.strip()]


def photos_of_known_and_new_people(folder: Path, models_root: Path) -> None:
    """40 JPEGs with looks that the sample buckets do not have."""
    people = portraits(models_root / "sample", print)
    folder.mkdir()
    for person, photos in (("t1_1", 14), ("t1_2", 12), ("joe_biden", 14)):
        for number in range(60, 60 + photos):
            (folder / f"{person} {number}.jpg").write_bytes(jpeg_bytes(photo_of(people, person, number)))


def wait_for(what: str, found: Callable[[], object], log: Path, seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen in {seconds:.0f} s; the end of the log:\n{log.read_text()[-4000:]}")
        time.sleep(0.5)


def runs(address: str) -> list[Run]:
    """The latest first."""
    wanted = "jobName status repositoryOrigin { repositoryLocationName } tags { key value }"
    found = ask(address, f"{{ runsOrError {{ ... on Runs {{ results {{ {wanted} }} }} }} }}")["runsOrError"]
    return [
        Run(
            run["jobName"],
            run["status"],
            (run["repositoryOrigin"] or {}).get("repositoryLocationName"),
            next((tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition"), None),
        )
        for run in found["results"]
    ]


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


def test_the_quickstart_shows_what_its_commands_print(served: Served) -> None:
    assert {command.split()[1] for command, _, _ in served.quickstart} >= {
        "label",
        "find",
        "explain",
        "merge",
        "export",
    }
    for command, shown, printed in served.quickstart:
        assert as_shown(printed) == as_shown(shown), command


def test_the_runs_of_the_demo_are_in_the_timeline_and_under_their_job(served: Served) -> None:
    main = [run for run in served.demo if run.job == "discover_identities"]
    assert {run.bucket for run in main} == {"family album", "press %5B2019%5D", "trip", "wedding"}
    assert {run.job for run in served.demo} == {"discover_identities", "label_faceset", "export_facesets"}
    assert {(run.status, run.location) for run in served.demo} == {("SUCCESS", "facesets_dagster.definitions:defs")}


def test_the_dropped_folder_joins_known_people_and_founds_the_new_one(served: Served) -> None:
    library = served.home.folder / "facesets_swap_ready"
    manifest = json.loads((library / "manifest.json").read_text())
    new = [entry for entry in manifest["facesets"] if entry["bucket"] == DROPPED]
    assert [entry["name"] for entry in new] == ["faceset_011"], "the new person, numbered past everybody else"
    assert new[0]["input"] >= 12
    report = max((served.home.folder / "reports" / DROPPED).glob("*.md")).read_text()
    joined = {name: int(count) for count, name in re.findall(r"(\d+) faces joined (faceset_\d+)", report)}
    assert len(joined) == 2, report
    assert all(count >= 10 for count in joined.values()), joined

    served.home.facesets("verify")
    status = {row["bucket"]: row["state"] for row in json.loads(served.home.facesets("status", "--json"))["buckets"]}
    assert set(status.values()) == {"up to date"}


def test_the_terminal_stays_quiet_though_a_bucket_was_run(served: Served) -> None:
    _, found, after = served.log.read_text().partition(f"{served.address}\n")
    assert found
    assert [line for line in after.splitlines() if " - DEBUG - " in line or " - INFO - " in line] == []


def test_people_are_named_found_explained_and_exported_on_the_command_line(served: Served, tmp_path: Path) -> None:
    facesets, buckets = served.home.facesets, served.home.folder / "buckets"
    facesets("label", "faceset_011", "Anna Berg")
    shown = json.loads(facesets("show", "Anna Berg", "--json"))
    assert (shown["name"], shown["label"]) == ("faceset_011", "Anna Berg")

    found = json.loads(facesets("find", "anna berg", "--json"))
    facesets("find", "Anna Berg", "--copy-to", str(tmp_path / "anna"))
    photos = {(face["bucket_name"], face["path"]) for face in found["faces"]}
    assert len([path for bucket, path in photos if bucket == DROPPED]) == 14, "all, the ones not exported included"
    copies = [path for path in (tmp_path / "anna").rglob("*") if path.is_file()]
    assert {path.read_bytes() for path in copies} == {(buckets / bucket / path).read_bytes() for bucket, path in photos}

    explained = facesets("explain", f"{DROPPED}/joe_biden 60.jpg")
    assert "faceset_011" in explained

    child = served.home.start("merge", "Anna Berg", "faceset_001", "--dry-run")
    refused, _ = child.communicate()
    assert child.returncode in (0, 1)
    assert len(refused.strip().splitlines()) <= 2, refused

    facesets("export", "Anna Berg", str(tmp_path / "sources"), "--to", "facefusion")
    pictures = list((tmp_path / "sources").rglob("*.png"))
    assert len(pictures) == len(shown["manifest"]["faces"])
    assert all("Anna Berg" in str(path.relative_to(tmp_path)) for path in pictures)


def test_no_run_leaves_what_it_made_marked_as_out_of_date(served: Served) -> None:
    """Whoever started it: the demo's runs by the command line, the dropped folder's by the sensor."""

    def status(asset: str, field: str) -> object:
        (node,) = ask(served.address, f'{{ assetNodes(assetKeys: [{{path: ["{asset}"]}}]) {{ {field} }} }}')[
            "assetNodes"
        ]
        return node[field.partition("(")[0]]

    for asset in ("face_cache", "osrc_clusters", "swap_ready_facesets"):
        found = status(asset, f'staleStatusByPartition(partitions: ["trip", "{DROPPED}"])')
        assert found == ["FRESH", "FRESH"], asset
    assert (status("existing_centroids", "staleStatus"), status("top_manifest", "staleStatus")) == ("FRESH", "FRESH")


def test_a_run_of_the_command_line_is_executed_again_by_the_ui(served: Served) -> None:
    asked = f'tags: [{{key: ".dagster/repository", value: "{LOCATION}"}}]'
    found = ask(
        served.address,
        f'{{ runsOrError(filter: {{pipelineName: "discover_identities", {asked}}}) '
        "{ ... on Runs { results { runId tags { key value } } } } }",
    )["runsOrError"]["results"]
    tag = {"key": "facesets/started_by", "value": "command line"}
    run_id = next(run["runId"] for run in found if tag in run["tags"])
    again = ask(
        served.address,
        f'mutation {{ launchRunReexecution(reexecutionParams: {{parentRunId: "{run_id}", strategy: ALL_STEPS}}) '
        "{ __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
    )["launchRunReexecution"]
    assert again["__typename"] == "LaunchRunSuccess", again
    query = f'{{ runOrError(runId: "{again["run"]["runId"]}") {{ ... on Run {{ status }} }} }}'
    wait_for("the run again", lambda: ask(served.address, query)["runOrError"]["status"] == "SUCCESS", served.log, 300)


def test_a_bucket_is_run_through_the_queue_of_the_daemon(served: Served) -> None:
    bucket = next(path.name for path in sorted((served.home.folder / "buckets").iterdir()) if path.is_dir())
    said = printed_by(served.home, f"facesets run --launch {shlex.quote(bucket)}")
    assert "1 run in the queue" in said
    assert re.search(rf"^ *{re.escape(bucket)} .* same *$", said, re.M), said
    query = f'{{ runsOrError(filter: {{tags: [{{key: "dagster/partition", value: "{bucket}"}}]}}, limit: 1) '
    (run,) = ask(served.address, query + "{ ... on Runs { results { tags { key value } } } } }")["runsOrError"][
        "results"
    ]
    assert {"key": "facesets/queued_by", "value": "command line"} in run["tags"]


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

        page.goto(f"{address}/locations/{LOCATION}/jobs/discover_identities/runs")
        expect(page.get_by_text("Success", exact=True)).to_have_count(7)
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
        assert page.locator("h3", has_text="faceset_006").count() == 1
        page.get_by_role("link", name="photos and people of this bucket").click()
        assert page.locator("h1").inner_text() == "trip"
        assert page.evaluate(BROKEN_PICTURES)["broken"] == []
        page.get_by_role("link", name="faceset_006").last.click()
        assert page.locator("h1").inner_text() == "faceset_006"
        shown = page.evaluate(BROKEN_PICTURES)
        assert (shown["broken"], shown["count"] > 10) == ([], True)

        page.goto(f"{address}/locations/{LOCATION}/sensors/new_bucket_sensor")
        page.get_by_text("runs requested").first.wait_for()
        chromium.close()

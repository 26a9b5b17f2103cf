"""The real UI in a real browser: what a person sees and clicks, from the lineage graph to the contact sheet."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.sample.buckets import write_sample
from testing.browser import LOCATION, browser_path, open_sheet
from testing.dev_server import dev_server
from testing.forked import ForkedHome

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def served(tmp_path: Path, embedded_models_root: Path) -> Iterator[str]:
    """A server over a home with one bucket that nobody has run; the sensor makes a partition of it."""
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root, {"FACESETS_SETTLE_SECONDS": "2"}).made()
    home.facesets("init", "--automation")
    write_sample(tmp_path / "sample", cache_dir=embedded_models_root / "sample")
    shutil.copytree(tmp_path / "sample" / "trip", home.folder / "buckets" / "trip")
    home.facesets("run", "trip")
    with dev_server(home, tmp_path / "dev.log") as address:
        yield address


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


@pytest.mark.timeout(600)
def test_a_person_sees_lineage_runs_a_partition_and_finds_pictures_and_ticks(served: str) -> None:
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium on this system (Debian: apt install chromium)")
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(300_000)
        expect.set_options(timeout=300_000)

        page.goto(f"{served}/asset-groups/")
        for name in ("face_cache", "osrc_uncovered", "osrc_clusters", "top_manifest"):
            page.get_by_text(name, exact=True).first.wait_for()

        page.goto(f"{served}/locations/{LOCATION}/jobs/discover_identities/playground")
        choose_partition(page, "trip")
        page.get_by_role("button", name="Launch Run").click()
        page.wait_for_url(re.compile(r"/runs/"))
        expect(page.get_by_text("Success", exact=True).first).to_be_visible()

        page.goto(f"{served}/assets/swap_ready_facesets?view=partitions&partition=trip")
        page.get_by_text("funnel_picture").first.wait_for()
        assert page.locator("img[src^='data:image/svg+xml']").first.evaluate("picture => picture.naturalWidth") == 280
        open_sheet(page)
        sheet = page.locator("img[src^='data:image/jpeg']").first
        sheet.wait_for()
        assert sheet.evaluate("picture => picture.naturalWidth") > 700
        page.get_by_role("button", name="Close").click()
        address = page.get_by_text("the report of this run").first.get_attribute("href")
        page.goto(f"{served}{address}")
        assert page.locator("h1").inner_text() == "trip"
        assert page.locator("h3", has_text="faceset_001").count() == 1

        page.goto(f"{served}/locations/{LOCATION}/sensors/new_bucket_sensor")
        page.get_by_text("runs requested").first.wait_for()
        chromium.close()

"""`make screenshots`: pictures of the real UI and report for the docs, into `docs/pictures/`.

The sample buckets and one more, `portraits`, made of official portraits in the public domain (NASA, US government):
faces are shown of that bucket only, on the review pages too, whose home has no other. Needs Chromium from the system.

`record.json` beside them says what they show: the UI's version, its graph (each asset and what it is made of), and the
size of each picture. A test compares the graph with today's.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facesets_dagster.embedding.packs import EMBEDDED, pull_pack
from facesets_dagster.sample.buckets import jpeg_bytes, write_sample
from facesets_dagster.sample.people import IN_SUNGLASSES, photo_of, portraits, with_cases
from testing.browser import BROKEN_PICTURES, LOCATION, browser_path, open_sheet
from testing.dev_server import ask, dev_server
from testing.homes import RealHome
from testing.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = REPOSITORY / "docs" / "pictures"
RECORD = PICTURES / "record.json"
_PUBLIC_DOMAIN = ("eileen_collins", "barack_obama", "joe_biden")


def write_portraits(bucket: Path, cache: Path) -> None:
    """The bucket whose faces may be shown: one source picture a person, varied."""
    people = {name: found[:1] for name, found in portraits(cache, print).items() if name in _PUBLIC_DOMAIN}
    bucket.mkdir(parents=True)
    for name in people:
        for number in range(10 if name != "joe_biden" else 3):
            (bucket / f"{name}_{number:02d}.jpg").write_bytes(jpeg_bytes(photo_of(people, name, number)))
    for number in range(3):
        (bucket / f"damaged_{number}.jpg").write_bytes(b"\xff\xd8\xff damaged")


def make_home(folder: Path) -> RealHome:
    """A home with everything published, and one check that failed."""
    models = REPOSITORY / ".venv" / "share" / "facesets-models"
    pull_pack(EMBEDDED, models, print)
    link = folder.with_name("models")  # the launchpad shows it
    link.symlink_to(models)
    home = RealHome(folder, EMBEDDED, link, {"FACESETS_SETTLE_SECONDS": "2"})
    home.facesets("init", "--automation")
    write_sample(folder / "buckets", cache_dir=models / "sample")
    shutil.rmtree(folder / "buckets" / "trip")  # the people of the portraits are in it, too
    write_portraits(folder / "buckets" / "portraits", models / "sample")
    for bucket in ("family album", "press [2019]", "portraits"):
        home.facesets("run", bucket)
    return home


def make_review_home(folder: Path, models: Path) -> RealHome:
    """A home of public domain portraits alone, with something to decide: one person as two face sets, a collage."""
    home = RealHome(folder, EMBEDDED, models)
    home.facesets("init")
    bucket = folder / "buckets" / "portraits"
    write_portraits(bucket, models / "sample")
    people = with_cases(portraits(models / "sample", print))
    both = [photo_of(people, "barack_obama", number, 480) for number in (70, 71)]
    (bucket / "collage.jpg").write_bytes(jpeg_bytes(np.hstack(both)))
    garden = folder / "buckets" / "wedding"
    garden.mkdir()
    for number in range(8):
        (garden / f"garden_{number:02d}.jpg").write_bytes(jpeg_bytes(photo_of(people, IN_SUNGLASSES, number)))
    home.facesets("run")
    home.facesets("label", "faceset_002", "Eileen")
    home.facesets("review")
    return home


def take_review(page: "Page", address: str) -> None:
    """The pages where people decide."""
    shots: list[tuple[str, str, str, int]] = [
        ("review_people", "people", ".tile:visible", 500),
        ("review_person", "people/faceset_002", "#faces .tile:focus", 880),
        ("review_queue", "queue", "#card img", 680),
    ]
    for name, path, ready, height in shots:
        page.set_viewport_size({"width": 1000, "height": height})
        page.goto(f"{address}/review/{path}")
        page.locator(ready).first.wait_for()
        if name == "review_queue":
            _show_pair(page)
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / f"{name}.png")


def _show_pair(page: "Page") -> None:
    """Passes over cards until two people are compared."""
    heading = page.locator("#card h2")
    while heading.inner_text() != "Are these two one person?":
        page.keyboard.press("Space")
        page.wait_for_timeout(500)


def take(page: "Page", address: str, home: RealHome) -> None:
    """All pictures."""
    shots: list[tuple[str, str, Callable[[], None]]] = [
        ("lineage", "/asset-groups/", lambda: page.get_by_text("top_manifest").first.wait_for()),
        *((f"asset_{name}", f"/assets/{name}", lambda: page.get_by_text("Metadata").first.wait_for()) for name in (
            "face_cache", "existing_centroids", "osrc_uncovered", "osrc_clusters", "swap_ready_facesets",
            "top_manifest",
        )),
        ("partitions", "/assets/swap_ready_facesets?view=partitions&partition=portraits", lambda: None),
        ("failed_check", "/assets/face_cache?view=checks&checkDetail=files_readable", lambda: show_markdown(page)),
        ("sensor", f"/locations/{LOCATION}/sensors/new_bucket_sensor", lambda: None),
        ("launchpad", f"/locations/{LOCATION}/jobs/discover_identities/playground", lambda: None),
        ("contact_sheet", "/assets/swap_ready_facesets?view=partitions&partition=portraits", lambda: open_sheet(page)),
    ]  # fmt: skip
    for name, path, ready in shots:
        page.goto(address + path)
        ready()
        page.wait_for_timeout(3000)
        page.screenshot(path=PICTURES / f"{name}.png")
    report = next((home.settings.reports_dir / "portraits").glob("*.html"))
    for name, width, height in (("report_wide", 1280, 1500), ("report_narrow", 390, 1200)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{address}/files/reports/portraits/{report.name}")
        page.screenshot(path=PICTURES / f"{name}.png")

    faceset = next(
        entry["name"]
        for entry in json.loads((home.settings.library_dir / "manifest.json").read_text())["facesets"]
        if entry["bucket"] == "portraits"
    )
    for name, path in (("faceset_page", f"library/{faceset}/"), ("bucket_page", "buckets/portraits/")):
        page.set_viewport_size({"width": 1280, "height": 1200})
        page.goto(f"{address}/files/{path}")
        page.evaluate(BROKEN_PICTURES)
        page.screenshot(path=PICTURES / f"{name}.png")


def write_record(address: str) -> None:
    """What the pictures show, as the UI answers it."""
    answer = ask(address, "{ version assetNodes { assetKey { path } dependencyKeys { path } } }")
    graph = {
        "/".join(node["assetKey"]["path"]): sorted("/".join(key["path"]) for key in node["dependencyKeys"])
        for node in answer["assetNodes"]
    }
    sizes = {}
    for path in sorted(PICTURES.glob("*.png")):
        with Image.open(path) as picture:
            sizes[path.name] = list(picture.size)
    record = {"ui": answer["version"], "graph": graph, "pictures": sizes}
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def show_markdown(page: "Page") -> None:
    """Opens what is behind a click."""
    page.get_by_text("[Show Markdown]").first.click()


def main() -> None:
    """The command."""
    browser = browser_path()
    if browser is None:
        sys.exit("Chromium was not found. Install it (Debian: apt install chromium) and run make screenshots again.")
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="facesets-") as folder:
        home = make_home(Path(folder) / "home")
        with dev_server(home, Path(folder) / "dev.log") as address, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            take(chromium.new_page(viewport={"width": 1400, "height": 1000}), address, home)
            chromium.close()
        review = make_review_home(Path(folder) / "review", home.models_root)
        with dev_server(review, Path(folder) / "review.log") as address, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            take_review(chromium.new_page(locale="en-GB"), address)
            write_record(address)
            chromium.close()


if __name__ == "__main__":
    main()

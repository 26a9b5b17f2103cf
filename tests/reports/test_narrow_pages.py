"""Every page fits telephones, tablets and screens: nothing is wider than the window, cut off, or a letter a line."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from facesets_dagster.assets import swap_ready_facesets
from facesets_dagster.photos.bucket_key import partition_key
from facesets_dagster.reports.funnel import meaning_of
from facesets_dagster.reports.index import RunLine, add_run
from facesets_dagster.reports.page import write_report
from facesets_dagster.reports.run_report import RunReport
from testing.browser import BROKEN_PICTURES
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.labels import give_label
from testing.served_files import served_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS = (390, 768, 1440)
LONG_STATES = ("crop_failed:several_faces_found", "crop_failed:looks_different", "below_export_gate:face_short")
LABEL = "Maximiliane-Charlotte Freifrau von Hohenzollern-Sigmaringen."
BUCKET = "Urlaub_" + "x" * 100 + " [2019]"

CUT = """[...document.querySelectorAll('body *')].filter(one => {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    if (!box.width || style.display === 'none') return false;
    const hidden = ['hidden', 'clip'].includes(style.overflowX) || style.textOverflow === 'ellipsis';
    return box.right > innerWidth + 0.5 || box.left < -0.5 || (hidden && one.scrollWidth > one.clientWidth + 1);
}).map(one => one.tagName + ': ' + one.textContent.slice(0, 60))"""
SCROLLING = """[...document.querySelectorAll('body *')]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .filter(one => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX))
    .map(one => one.tagName)"""
COLUMNS_OF_LETTERS = """(() => {
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const text = walk.currentNode.textContent.trim();
        if (text.length < 8) continue;
        const range = document.createRange();
        range.selectNodeContents(walk.currentNode);
        const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        const longest = Math.max(...text.split(/[\\s\\-_.:/]+/).map(word => word.length));
        if (lines.size > 2 && text.length / lines.size < Math.min(longest, 8)) found.push(text.slice(0, 60));
    }
    return found;
})()"""


BROKEN_WORDS = """(() => {
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        if (!walk.currentNode.parentElement.closest('td, th, p, li, h1, h2, h3')) continue;
        for (const word of walk.currentNode.textContent.matchAll(/[^\\s\\-/]{3,20}(?=\\s|$)/g)) {
            if (word.index && !/\\s/.test(walk.currentNode.textContent[word.index - 1])) continue;
            const range = document.createRange();
            range.setStart(walk.currentNode, word.index);
            range.setEnd(walk.currentNode, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
            if (lines.size > 1) found.push(word[0]);
        }
    }
    return found;
})()"""


def with_long_states(reports_dir: Path, report: RunReport, *, changes: str) -> Path:
    """The report as it would be if the faces that are not exported had ended in the states with the longest names."""
    photos = [
        replace(photo, faces=[replace(face, state=state) for face in photo.faces])
        for photo, state in zip(report.photos, LONG_STATES, strict=False)
    ]
    tiles = [tile for *_, tiles in report.reasons for tile in tiles]
    states = {**report.funnel.states, **dict.fromkeys(LONG_STATES, 1)}
    reasons = [(state, meaning_of(state), len(tiles), tiles) for state in LONG_STATES]
    changed = replace(report, photos=photos, reasons=reasons, funnel=replace(report.funnel, states=states))
    return write_report(reports_dir, changed, changes=changes)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """Long names everywhere, 30 buckets in the index, pages of all kinds."""
    patch = pytest.MonkeyPatch()
    patch.setattr(swap_ready_facesets, "write_report", with_long_states)
    with fake_home_in(tmp_path_factory.mktemp("narrow")) as home:
        write_looks(home.people / "Anna", 1, [-0.9, 0.0])
        write_looks(home.buckets / BUCKET, 1, [0.6])
        write_looks(home.buckets / BUCKET, 2, [-0.9, -0.4, 0.1, 0.5, 0.9, 0.55])
        write_looks(home.buckets / BUCKET, 3, [0.0, 0.9])
        (home.buckets / BUCKET / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
        for number in range(30):
            key = f"{partition_key(BUCKET)[:80]}{number:02d}"
            add_run(home.settings.reports_dir, RunLine(key, f"{number:08d}-run", "2026-01-01T00:00:00+00:00", "", 9, 8))
        home.run(partition_key(BUCKET), job="full_pipeline", osrc_clusters={"min_faces": 3})
        names = [identity.name for identity in home.library.registry.identities()]
        give_label(home.library.registry, names[-1], LABEL)
        home.materialize("consumer_exports", "merge_proposals", "consumer_simulation", "faceset_completeness")
        home.materialize("what_if", "first_look", bucket=partition_key(BUCKET))
        home.run(partition_key(BUCKET), job="full_pipeline", osrc_clusters={"min_faces": 3})
        yield home
    patch.undo()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_on_disk_fit_the_window(home: FakeHome, chromium: "Browser", width: int) -> None:
    pages = sorted(home.settings.reports_dir.rglob("*.html"))
    assert len(pages) >= 8
    page = chromium.new_page(viewport={"width": width, "height": 800})
    for path in pages:
        page.goto(path.as_uri())
        assert faults(page, width) == {}, path
        if path.name != "index.html":
            link = page.get_by_text("all runs", exact=True).bounding_box()
            assert link is not None
            assert link["y"] < 60
    page.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_beside_the_ui_fit_the_window_and_show_all_their_pictures(
    home: FakeHome, chromium: "Browser", width: int
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme="dark")
    with served_files(home.settings) as address:
        for path, least in addresses(home):
            page.goto(address + path)
            assert faults(page, width) == {}, path
            pictures = page.evaluate(BROKEN_PICTURES)
            assert pictures["broken"] == [], path
            assert pictures["count"] >= least, path
    page.close()


def addresses(home: FakeHome) -> list[tuple[str, int]]:
    """Pages beside the UI, and how many pictures they show at least."""
    from facesets_dagster.reports.links import served

    key = partition_key(BUCKET)
    facesets = sorted(path.name for path in home.settings.library_dir.glob("faceset_*"))
    reports = sorted((home.settings.reports_dir / key).glob("*.html"))
    assert len(facesets) >= 2
    return [
        (served("buckets", key, folder=True), 9),
        (served("library", folder=True), 2),
        *((served("library", name, folder=True), 3) for name in facesets),
        (served("library", facesets[0], "faces", folder=True), 1),
        (served("reports", folder=True), 2),
        *((served("reports", key, path.name), 0) for path in reports),
    ]


def faults(page: Any, width: int) -> dict[str, list[str]]:
    """What is wrong with the page as it stands in the window."""
    found = {
        "wider than the window": [] if page.evaluate("document.documentElement.scrollWidth") <= width else ["page"],
        "cut": page.evaluate(CUT),
        "scrolls in a box": page.evaluate(SCROLLING),
        "a letter a line": page.evaluate(COLUMNS_OF_LETTERS),
        "broken words": page.evaluate(BROKEN_WORDS),
    }
    return {what: names for what, names in found.items() if names}

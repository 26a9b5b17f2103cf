"""Pages on a telephone: only tables are wider than the screen, and scroll in a box of their own; links are in view."""

import pytest

from testing.browser import browser_path
from testing.fake_home import FakeHome
from testing.fakes import write_looks

WIDTH = 400
_TOO_WIDE = """[...document.querySelectorAll('body *')]
    .filter(element => !element.closest('.wide') && element.getBoundingClientRect().right > innerWidth)
    .map(element => element.tagName)"""
_BOXES = """[...document.querySelectorAll('table')]
    .map(table => [table.offsetWidth > table.parentElement.clientWidth,
                   getComputedStyle(table.parentElement).overflowX])"""
_LINKS = "[...document.querySelectorAll('a')].map(link => [link.href, link.getBoundingClientRect().right])"


@pytest.mark.timeout(300)
def test_pages_fit_a_screen_of_400_px(fake_home: FakeHome) -> None:
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium on this system (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    bucket = "holidays" + "x" * 110
    write_looks(fake_home.people / "Anna", 1, [-0.9, 0.0])
    write_looks(fake_home.buckets / bucket, 1, [0.6])
    write_looks(fake_home.buckets / bucket, 2, [-0.9, -0.4, 0.1, 0.5, 0.9])
    fake_home.run(bucket, job="full_pipeline", osrc_clusters={"min_faces": 3})
    fake_home.materialize("consumer_exports")
    index = fake_home.settings.reports_dir / "index.html"
    pages = [path for path in sorted(fake_home.settings.reports_dir.rglob("*.html")) if path != index]
    assert len(pages) >= 5
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": 800})
        wide = 0
        for path in [index, *pages]:
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, path
            assert page.evaluate(_TOO_WIDE) == [], path
            boxes = page.evaluate(_BOXES)
            wide += sum(too_wide for too_wide, _ in boxes)
            assert {how for too_wide, how in boxes if too_wide} <= {"auto"}, path
            if path != index:
                link = page.get_by_text("all runs", exact=True).bounding_box()
                assert link is not None
                assert link["y"] < 60
        assert wide, "some tables are wider than the screen, or nothing was tested"
        page.goto(index.as_uri())
        in_view = {href for href, right in page.evaluate(_LINKS) if right <= WIDTH}
        assert {path.as_uri() for path in pages} <= in_view
        chromium.close()

"""The review page in a real browser: pictures, keys, ways back, what assistive technology is told, and no request
elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testing.accessibility import violations
from testing.browser import BROKEN_PICTURES
from testing.fake_home import FakeHome, fake_home_in
from testing.rulings import decide, obey, three_people
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONGEST = "Maximiliane Ottilie Freifrau von Hohenlohe-Waldenburg-Schillingsfürst-Langenburg zu Donaudampfschifffahrt"
HOSTILE = "<img src=x onerror=document.title='ran'> עִבְרִית"
PATHS = ("people", "people/faceset_001", "ignored", "log", "help")
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """Three people: one with the longest name, one with a hostile one, one ignored."""
    with fake_home_in(tmp_path_factory.mktemp("review")) as home:
        three_people(home)
        decide(home, lambda rulings: rulings.name("faceset_001", LONGEST))
        decide(home, lambda rulings: rulings.name("faceset_002", HOSTILE))
        decide(home, lambda rulings: rulings.ignore("faceset_003"))
        obey(home)
        yield home


@pytest.fixture(scope="module")
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield f"{address}/review"


@pytest.fixture
def page(address: str, chromium: "Browser") -> Iterator["Page"]:
    """A page that fails its test on any error, on any request to elsewhere and on anything that the policy refuses."""
    page, wrong = chromium.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    elsewhere = re.compile(rf"^(?!{re.escape(address.removesuffix('/review'))}/|blob:|data:)")
    page.route(elsewhere, lambda route: (wrong.append(route.request.url), route.abort()))
    yield page
    page.close()
    assert wrong == []


def pictures(page: "Page") -> Any:
    """Once every one has come that is to come. The page's policy lets no `wait_for_function` in."""
    from playwright.sync_api import expect

    expect(page.locator(".tile:not([hidden]) img:not([src]):not(.absent)")).to_have_count(0, timeout=60_000)
    return page.evaluate(BROKEN_PICTURES)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [320, 768, 1440])
def test_every_page_fits_and_is_accessible(page: "Page", address: str, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/{path}")
    assert pictures(page)["broken"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        "[...document.querySelectorAll('a, button, input')].filter(one => one.checkVisibility() && "
        "!one.matches('.skip')).filter(one => { const box = one.getBoundingClientRect(); "
        "return Math.min(box.width, box.height) < 24 && getComputedStyle(one).display !== 'inline'; })"
        ".map(one => one.outerHTML)"
    )
    assert small == []
    assert violations(page) == []


def test_names_are_text_whatever_they_hold(page: "Page", address: str) -> None:
    page.goto(f"{address}/people")
    page.get_by_text(HOSTILE, exact=True).wait_for()
    assert page.title() == "People · Review"
    page.get_by_text(HOSTILE, exact=True).click()
    page.locator("h1", has_text=HOSTILE).wait_for()
    assert page.title() == f"{HOSTILE} · Review"


def test_keys_lead_to_a_person_and_back_to_the_same_place(page: "Page", address: str) -> None:
    page.goto(f"{address}/people")
    page.locator(".tile").nth(1).wait_for()
    page.keyboard.press("/")
    page.keyboard.type("IMG")
    assert page.locator(".tile:visible").count() == 1
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/faceset_002")
    page.locator(".tile[tabindex='0']:focus").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url("**/people#back")
    page.locator(".tile:focus").wait_for()
    assert page.locator("#q").input_value() == "IMG"
    assert page.locator(".tile:focus").get_attribute("aria-label") == f"{HOSTILE}, 4 faces"


def test_faces_are_selected_by_keys_and_a_photo_opens_and_closes(page: "Page", address: str) -> None:
    page.goto(f"{address}/people/faceset_001")
    page.locator(".tile:focus").wait_for()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".tile[aria-selected=true]").count() == 2
    page.keyboard.press("Control+a")
    assert page.locator(".tile[aria-selected=true]").count() == 5
    page.keyboard.press("Escape")
    assert page.locator(".tile[aria-selected=true]").count() == 0
    page.keyboard.press("End")
    assert "Face 5 of 5, rank 5" in str(page.locator(".tile:focus").get_attribute("aria-label"))
    page.keyboard.press("Enter")
    page.locator("dialog img").wait_for()
    assert pictures(page)["broken"] == []
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert page.locator(".tile:focus").count() == 1


def test_single_letters_can_be_switched_off(page: "Page", address: str) -> None:
    page.goto(f"{address}/people")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url("**/help")
    page.locator("#switch input").uncheck()
    page.locator("#said", has_text="Single letters are off").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.keyboard.press("?")
    assert page.url.endswith("/help")
    page.locator("#switch input").check()
    page.locator("#switch input").blur()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/people")


def test_a_foreign_page_shows_none_of_it_in_a_frame(address: str, chromium: "Browser", tmp_path: Path) -> None:
    page = chromium.new_page()
    root = address.removesuffix("/review")
    for place, target in enumerate((f"{address}/people", f"{root}/", f"{root}/files/reports/index.html")):
        hostile = tmp_path / f"{place}.html"
        hostile.write_text(f'<iframe src="{target}"></iframe>')
        page.goto(hostile.as_uri())
        page.wait_for_timeout(300)
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"], target
    page.close()

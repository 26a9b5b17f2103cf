"""Keys beyond one person: pinned people, everybody of a filter, look-alikes, redo; a phone, forced colours, German."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.registry.rulings import rulings_in_force
from testing.accessibility import violations
from testing.fake_home import FakeHome, fake_home_in
from testing.queue_home import home_with_cards
from testing.rulings import three_people
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(300)
TARGETS = """() => [...document.querySelectorAll('button, a[href], select, input')].filter(one => one.checkVisibility()
    && !one.closest('.skip, p:not(.actions), td, .rulings')).map(one => [one.outerHTML.slice(0, 80),
    one.getBoundingClientRect()]).filter(([_, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"""
"""Buttons, fields and links, but for links in a sentence, that are smaller than 24 px."""


@pytest.fixture(scope="module", autouse=True)
def begun(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What homes are copies of: run before the browser is there."""
    for fill in (three_people, home_with_cards):
        with fake_home_in(tmp_path_factory.mktemp("begun")) as home:
            fill(home)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("more")) as home:
        three_people(home)
        yield home


@pytest.fixture
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield f"{address}/review"


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    context, wrong = chromium.new_context(), list[str]()
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


def said(page: "Page", text: str) -> None:
    page.locator("#said", has_text=re.compile(text)).wait_for()


def kinds(home: FakeHome) -> list[str]:
    return [one.kind for one in rulings_in_force(home.library.registry)]


def test_a_number_gives_faces_and_people_to_whom_is_pinned_there(home: FakeHome, address: str, page: "Page") -> None:
    press = page.keyboard.press
    page.goto(f"{address}/people")
    page.locator(".tile").nth(0).focus()
    press("2")
    said(page, "Nobody is pinned on 2")
    press("Shift+P")
    said(page, "faceset_001 is pinned on 1.")
    assert violations(page) == []
    page.goto(f"{address}/people/faceset_002")
    page.locator(".tile:focus").wait_for()
    page.locator("#pins button", has_text="faceset_001").wait_for()
    press("1")
    said(page, "1 face belongs to faceset_001. Undo: z")
    page.goto(f"{address}/people")
    page.locator(".tile").nth(2).focus()
    press("1")
    said(page, "faceset_003 and faceset_001 are one person")
    assert kinds(home) == ["assign", "same"]
    page.reload()
    page.locator("#pins button", has_text="faceset_001").wait_for()


def test_one_key_rules_on_everybody_whom_the_filter_means(home: FakeHome, address: str, page: "Page") -> None:
    press = page.keyboard.press
    page.goto(f"{address}/people")
    page.locator("#most").select_option("5")
    page.locator("#count", has_text="3 people").wait_for()
    page.locator(".tile").nth(0).focus()
    press("Control+a")
    page.locator("#selection", has_text="3 people selected").wait_for()
    press("Space")
    page.locator("#selection", has_text="2 people selected").wait_for()
    assert violations(page) == []
    press("i")
    said(page, "2 are ignored. Undo: z")
    page.locator("#count", has_text="1 person").wait_for()
    assert kinds(home) == ["ignore", "ignore"]
    press("z")
    page.locator("#count", has_text="3 people").wait_for()
    said(page, "taken back")
    press("Shift+Z")
    said(page, "is ignored")
    page.locator("#count", has_text="1 person").wait_for()
    assert kinds(home) == ["ignore", "ignore"]
    press("Shift+Z")
    said(page, "There is nothing to redo.")


def test_a_person_shows_look_alikes_publications_and_filters(home: FakeHome, address: str, page: "Page") -> None:
    page.goto(f"{address}/people/faceset_001")
    page.locator(".tile:focus").wait_for()
    page.locator("#alike-list li").nth(1).wait_for()
    assert violations(page) == []
    nearest = page.locator("#alike-list li bdi").first.inner_text()
    assert "distance" in page.locator("#alike-list li").first.inner_text()
    page.keyboard.press("d")
    said(page, f"faceset_001 and {nearest} are two people")
    page.locator("#alike-list li").nth(1).wait_for(state="detached")
    page.keyboard.press("s")
    said(page, "are one person")
    assert kinds(home) == ["different", "same"]
    assert page.locator("#runs-title").count() == 1
    assert page.locator(".runs li", has_text="faces of the bucket a").count() == 1
    page.locator("#only a", has_text="exported").first.click()
    page.wait_for_url("**only=exported**")


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_a_phone_shows_one_card_with_its_buttons_on_the_screen(
    tmp_path_factory: pytest.TempPathFactory, chromium: "Browser", language: str
) -> None:
    with fake_home_in(tmp_path_factory.mktemp("phone")) as home:
        home_with_cards(home)
        with served_review(home.settings) as address:
            context = chromium.new_context(
                viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True, locale=language,
                forced_colors="active", reduced_motion="reduce",
            )  # fmt: skip
            page = context.new_page()
            for path in ("queue", "people", "people/faceset_001", "log", "help", "ignored"):
                page.goto(f"{address}/review/{path}")
                page.locator("#count:not(:empty), #card h2, .tile, .rulings, .keys, main > p").first.wait_for()
                page.wait_for_timeout(100)
                assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
                assert page.evaluate(TARGETS) == [], path
                if path == "queue":
                    box = page.locator(".answers").bounding_box()
                    assert box is not None
                    assert box["y"] + box["height"] <= 640
                    assert page.locator("#card").evaluate("one => getComputedStyle(one).transitionDuration") == "0s"
            page.goto(f"{address}/review/people/faceset_001")
            page.locator(".tile:focus").wait_for()
            page.keyboard.press("f")
            said(page, "steht für faceset_001" if language == "de-DE" else "stands for faceset_001")
            page.goto(f"{address}/review/log")
            words = page.locator(".rulings").inner_text()
            assert ("1 Gesicht steht für faceset_001" in words) == (language == "de-DE")
            context.close()


def test_a_card_on_another_distance_shows_what_it_would_change(
    tmp_path_factory: pytest.TempPathFactory, chromium: "Browser"
) -> None:
    """The card is put before the others here: a real one takes twelve answers. What it shows is rehearsed."""
    numbers = {"old": 0.1, "new": 0.2, "answers": 12, "gain": 5, "harm": 1}
    card = {"card_id": "threshold:0.2", "kind": "threshold", "again": 0, "sides": [], "answers": ["take", "keep"],
            "same_photo": False, "numbers": numbers}  # fmt: skip
    with fake_home_in(tmp_path_factory.mktemp("threshold")) as home:
        home_with_cards(home)
        with served_review(home.settings) as address:
            page = chromium.new_page()
            answer = {"cards": [card], "left": 1, "made": True, "error_rate": 0.25}
            page.route("**/api/queue", lambda route: route.fulfill(json=answer))
            page.goto(f"{address}/review/queue")
            page.locator("#card", has_text="By a rehearsal of 2 of 2 buckets").wait_for()
            assert "Face sets: 3 instead of 3." in page.locator("#card").inner_text()
            assert "25 % of your answers to known cards were wrong" in page.locator("#left").inner_text()
            assert violations(page) == []
            page.close()

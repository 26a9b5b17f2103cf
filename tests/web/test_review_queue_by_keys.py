"""The queue by keys and by swipes in a real browser: the next card is there at once, the ruling follows."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.registry.rulings import rulings_in_force
from testing.accessibility import violations
from testing.fake_home import FakeHome, fake_home_in
from testing.queue_home import home_with_cards
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def begun(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What homes are copies of: run before the browser is there."""
    with fake_home_in(tmp_path_factory.mktemp("begun")) as home:
        home_with_cards(home)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("keys")) as home:
        home_with_cards(home)
        yield home


@pytest.fixture
def page(home: FakeHome, chromium: "Browser") -> Iterator["Page"]:
    with served_review(home.settings) as address:
        context, wrong = chromium.new_context(has_touch=True, locale="en-GB"), list[str]()
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}/review/queue")
        page.locator("#card h2").wait_for()
        yield page
        context.close()
        assert wrong == []


def test_a_key_answers_and_the_next_card_is_there_before_the_server_knows(home: FakeHome, page: "Page") -> None:
    assert violations(page) == []
    held = list[object]()
    page.route("**/api/answers", lambda route: held.append(route))
    shown = page.locator("#card").inner_text()
    page.keyboard.press("Space")
    after = page.locator("#card").inner_text()
    assert after != shown, "drawn in the same task as the key, while the answer is held"
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()  # type: ignore[attr-defined]
    page.locator("#said", has_text="Not sure").wait_for()
    assert rulings_in_force(home.library.registry) == ()


def test_cards_become_rulings_and_undo_brings_them_back(home: FakeHome, page: "Page") -> None:
    heading = page.locator("#card h2")
    before = page.locator("#left").inner_text()
    for _ in range(12):
        if heading.inner_text() == "Are these two one person?":
            break
        page.keyboard.press("Space")
        page.locator("#said:not(:empty)").wait_for()
    page.keyboard.press("s")
    page.locator("#said", has_text=re.compile("one person. Undo: z|Asked once more")).wait_for()
    if not rulings_in_force(home.library.registry):
        page.locator("#card .warn", has_text="Asked once more").wait_for()
        page.keyboard.press("s")
        page.locator("#said", has_text="one person. Undo: z").wait_for()
    assert [one.kind for one in rulings_in_force(home.library.registry)] == ["same"]
    page.locator("#ribbon", has_text="1 ruling is not published.").wait_for()
    page.keyboard.press("z")
    page.locator("#said", has_text="taken back").wait_for()
    page.locator("#left", has_text=before).wait_for()


@pytest.mark.parametrize("width", [320, 768, 1440])
def test_every_kind_of_card_fits_and_is_accessible(page: "Page", width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    seen = set[str]()
    for _ in range(8):
        seen.add(page.locator("#card h2").inner_text())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.keyboard.press("Space")
        page.wait_for_timeout(150)
    assert len(seen) >= 3


def test_a_swipe_answers_a_pair(home: FakeHome, page: "Page") -> None:
    for _ in range(12):
        if page.locator("#card h2").inner_text() == "Are these two one person?":
            break
        page.keyboard.press("Space")
        page.wait_for_timeout(150)
    page.evaluate(
        """() => { const card = document.getElementById('card'); const touch = (kind, x) => card.dispatchEvent(
        new TouchEvent(kind, {bubbles: true, changedTouches: [new Touch({identifier: 1, target: card, clientX: x})]}));
        touch('touchstart', 300); touch('touchend', 150); }"""
    )
    page.locator("#said", has_text=re.compile("two people. Undo: z|Asked once more")).wait_for()

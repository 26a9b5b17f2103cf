"""Two thousand people: few elements in the document, and the way back to the very place."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from testing.fake_home import fake_home_in
from testing.made_up_registry import fill
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PEOPLE = 2_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fake_home_in(tmp_path_factory.mktemp("many")) as home:
        fill(home.library, PEOPLE, 2 * PEOPLE)
        with served_review(home.settings) as address:
            yield f"{address}/review"


@pytest.mark.timeout(300)
def test_the_grid_holds_few_elements_and_leads_back_to_the_same_place(address: str, chromium: "Browser") -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/people")
    page.locator("#count", has_text=f"{PEOPLE} people").wait_for()
    page.locator(".tile").first.focus()
    for _ in range(12):
        page.keyboard.press("PageDown")
    assert page.evaluate("document.querySelectorAll('*').length") < 1500
    focused, place = page.locator(".tile:focus").get_attribute("aria-label"), page.evaluate("scrollY")
    assert place > 3000
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/faceset_*")
    page.go_back()
    page.locator(".tile:focus").wait_for()
    assert page.locator(".tile:focus").get_attribute("aria-label") == focused
    assert abs(page.evaluate("scrollY") - place) < 3
    page.locator(".tile:focus").press("End")
    assert page.locator(".tile:focus").get_attribute("aria-label") == f"faceset_{PEOPLE}, 2 faces"
    assert page.locator(".grid[aria-rowcount]").count() == 1
    page.close()

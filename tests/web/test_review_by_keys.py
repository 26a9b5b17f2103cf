"""Decisions on the review page by keys alone, in a real browser: how many each takes, what is said, what is undone."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.registry.rulings import all_rulings, rulings_in_force
from testing.accessibility import violations
from testing.fake_home import FakeHome, fake_home_in
from testing.rulings import three_people
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def begun(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What homes are copies of: run before the browser is there."""
    with fake_home_in(tmp_path_factory.mktemp("begun")) as home:
        three_people(home)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("keys")) as home:
        three_people(home)
        yield home


@pytest.fixture
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield f"{address}/review"


@pytest.fixture
def page(address: str, chromium: "Browser") -> Iterator["Page"]:
    context, wrong = chromium.new_context(), list[str]()
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


def said(page: "Page", text: str) -> None:
    page.locator("#said", has_text=re.compile(text)).wait_for()


def tile(page: "Page", name: str) -> None:
    """Waits until the tile of this name has the focus."""
    page.locator(f".tile:focus[aria-label^='{name}']").wait_for()


def kinds(home: FakeHome) -> list[str]:
    return [one.kind for one in rulings_in_force(home.library.registry)]


def test_people_are_named_merged_ignored_approved_and_all_of_it_undone(
    home: FakeHome, address: str, page: "Page"
) -> None:
    page.goto(f"{address}/people")
    page.locator(".tile").nth(2).focus()
    press = page.keyboard.press
    press("n")
    page.locator("dialog[open] input").wait_for()
    assert violations(page) == []
    page.keyboard.type("nizza i m a")
    press("Enter")
    said(page, "faceset_003 is called nizza i m a. Undo: z")
    tile(page, "nizza i m a, 3 faces · not published")
    page.locator(".tile").nth(0).focus()
    press("a")
    said(page, "faceset_001 is right as it stands")
    tile(page, "faceset_001, 5 faces · not published")
    press("m")
    page.locator("[role=option][aria-selected=true]").wait_for()
    assert violations(page) == []
    press("Enter")
    said(page, "are one person. Undo: z")
    page.locator("#ribbon", has_text="3 rulings are not published.").wait_for()
    page.locator("#count", has_text="2 people").wait_for()
    page.locator(".tile").nth(1).focus()
    press("i")
    said(page, "is ignored. Undo: z")
    assert kinds(home) == ["name", "approve", "same", "ignore"]
    for left in (3, 2, 1, 0):
        press("z")
        if left:
            page.locator("#ribbon", has_text=re.compile(rf"^\s*{left} ruling")).wait_for()
    page.locator("#ribbon:not(:has(p))").wait_for(state="attached")
    assert kinds(home) == []
    page.locator("#count", has_text="3 people").wait_for()
    press("z")
    said(page, "There is nothing to undo.")


def test_faces_are_taken_moved_split_featured_and_no_faces(home: FakeHome, address: str, page: "Page") -> None:
    page.goto(f"{address}/people/faceset_001")
    press = page.keyboard.press
    tile(page, "Face 1 of 5")
    press("f")
    said(page, "1 face stands for faceset_001")
    tile(page, "Face 1 of 5")
    press("x")
    said(page, "1 face does not belong to faceset_001")
    tile(page, "Face 1 of 4")
    press("v")
    page.locator("[role=option][aria-selected=true]").wait_for()
    press("Enter")
    said(page, "1 face")
    tile(page, "Face 1 of 3")
    press("Shift+I")
    said(page, "no face")
    tile(page, "Face 1 of 2")
    press("End")
    press("Space")
    page.locator("#selection", has_text="1 face selected").wait_for()
    assert violations(page) == []
    press("p")
    said(page, "holds 2 people")
    tile(page, "Face 1 of 1")
    assert kinds(home) == ["feature", "not_person", "assign", "not_a_face", "split"]
    page.goto(f"{address}/log")
    undo = page.locator(".rulings").get_by_role("button", name="Undo")
    assert undo.count() == 5
    undo.nth(3).click()
    said(page, "taken back")
    page.get_by_text("taken back by").wait_for()
    assert kinds(home) == ["feature", "assign", "not_a_face", "split"]


def test_what_another_one_changed_meanwhile_is_said_and_shown(home: FakeHome, address: str, page: "Page") -> None:
    page.goto(f"{address}/people/faceset_001")
    tile(page, "Face 1 of 5")
    other = page.context.new_page()
    other.goto(f"{address}/people/faceset_001")
    tile(other, "Face 1 of 5")
    other.keyboard.press("x")
    said(other, "does not belong")
    page.bring_to_front()
    page.keyboard.press("i")
    said(page, "This has changed since you looked")
    page.locator("#faces-count", has_text="4 faces").wait_for()
    assert len(all_rulings(home.library.registry)) == 1
    page.keyboard.press("i")
    page.wait_for_url("**/people#back")
    assert kinds(home) == ["not_person", "ignore"]


def test_a_contradiction_shows_the_chain_with_a_way_out(home: FakeHome, address: str, page: "Page") -> None:
    page.goto(f"{address}/people")
    page.locator(".tile").nth(1).focus()
    page.keyboard.press("m")
    page.locator("[role=option]").nth(1).wait_for()
    page.keyboard.type("faceset_001")
    page.keyboard.press("Enter")
    said(page, "one person")
    page.locator("#ribbon button", has_text="Preview").click()
    page.locator("dialog .preview li").nth(1).wait_for()
    assert violations(page) == []
    assert "merged into faceset_001" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    assert kinds(home) == ["same"]


def test_nothing_is_offered_for_reading_only(home: FakeHome, chromium: "Browser") -> None:
    with served_review(home.settings.model_copy(update={"review": "read"})) as address:
        page = chromium.new_page()
        page.goto(f"{address}/review/people/faceset_001")
        tile(page, "Face 1 of 5")
        page.keyboard.press("Space")
        page.keyboard.press("x")
        assert page.locator("#actions button, #selection button:visible").count() == 0
        page.close()
    assert all_rulings(home.library.registry) == ()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_port_records_nothing(
    home: FakeHome, address: str, chromium: "Browser", tmp_path: Path, host: str
) -> None:
    target = f"{address}/api/rulings"
    statement = '{"rulings": [{"ruling_id": "01K00000000000000000000001", "kind": "ignore", "person": "faceset_001"}]}'
    own = "{'Content-Type': 'application/json', 'X-Facesets-Review': '1'}"
    (tmp_path / "hostile.html").write_text(
        f"""<form method="post" enctype="text/plain" action="{target}" target="inside">
        <input name='{statement[:-1]}, "x": "' value='"}}'></form><iframe name="inside"></iframe>
        <script>
        const body = {statement!r};
        window.tried = Promise.allSettled([
          fetch({target!r}, {{method: 'POST', mode: 'no-cors', body}}),
          fetch({target!r}, {{method: 'POST', headers: {own}, body}}),
          fetch({target!r}, {{method: 'POST', credentials: 'include', headers: {own}, body}}),
        ]).then(all => {{ document.forms[0].submit(); return all.map(one => one.status); }});
        </script>"""
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = chromium.new_page()
        page.goto(f"http://{host}:{other.server_address[1]}/hostile.html")
        assert page.evaluate("window.tried") == ["rejected", "rejected", "rejected"]
        page.wait_for_timeout(500)
        page.close()
        other.shutdown()
    assert all_rulings(home.library.registry) == ()

"""A visitor of the review page who has a keyboard and nothing else: every key is counted."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

LOOKING = frozenset({"ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", "Tab"})
"""Keys that only move the focus, as scrolling moves the screen: no input is counted for them."""


@dataclass
class Keyboard:
    """Keys pressed on a page, and what the server answered to what they sent."""

    page: "Page"
    pressed: Counter[str] = field(default_factory=Counter)
    typed: int = 0
    """Texts; with the Enter that ends each, one input."""

    @property
    def inputs(self) -> int:
        """Keys, and a text with its Enter as one; moving the focus is free."""
        return sum(count for key, count in self.pressed.items() if key not in LOOKING)

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.pressed[key] += 1
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """A text; the Enter after it is the input."""
        self.typed += 1
        self.page.keyboard.type(text)

    @contextmanager
    def sends(self, *paths: str) -> Iterator[dict[str, Any]]:
        """What is pressed here sends something to one of these places of the API; gives `status` and the body."""
        found: dict[str, Any] = {}

        def wanted(response: "Response") -> bool:
            return response.request.method == "POST" and response.url.rpartition("/api/")[2] in paths

        with self.page.expect_response(wanted, timeout=60_000) as waiting:
            yield found
        answer = waiting.value
        found |= {"status": answer.status, **json.loads(answer.body())}

    def go(self, letter: str, place: str) -> None:
        """To a page: `p` people, `q` queue, `l` log."""
        self.press("g", letter)
        self.page.wait_for_url(f"**/review/{place}")

    def find(self, name: str) -> None:
        """On the page of all people: the focus on the one of this name."""
        tile = self.page.locator(".tile:visible").first
        tile.wait_for()
        self.press("/")
        self.page.locator("#q:focus").wait_for()
        self.press("Control+a")
        self.type(name)
        self.press("Enter")
        self.page.locator(".tile:focus").wait_for()

    def open(self, name: str) -> None:
        """From the page of all people to the person of this name, the focus on the first face."""
        self.find(name)
        self.press("Enter")
        self.page.wait_for_url(f"**/review/people/{name}")
        self.page.locator("#faces .tile:focus").wait_for()

    def chosen(self) -> None:
        """Waits until a person is offered."""
        self.page.locator("dialog[open] [role=option][aria-selected=true]").wait_for()

    def asked(self) -> None:
        """Waits until a text is asked for."""
        self.page.locator("dialog[open] input").wait_for()

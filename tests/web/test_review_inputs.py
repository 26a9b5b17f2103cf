"""The core tasks by keys in a real browser: how many inputs each takes, counted on the keyboard.

An input is a key, or a text with its Enter; to move the focus is to look, and is free, as scrolling is.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.registry.rulings import rulings_in_force
from testing.fake_home import FakeHome, fake_home_in
from testing.queue_home import home_with_cards
from testing.review_keys import Keyboard
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.timeout(300)
EXAMPLES = 3
CORE = ("name", "merge", "split", "move", "not this person", "same or different", "ignore", "feature")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("inputs")) as home:
        home_with_cards(home)
        yield home


def test_the_core_tasks_take_as_many_inputs_as_promised(home: FakeHome, chromium: "Browser") -> None:
    taken = dict[str, int]()
    with served_review(home.settings) as address:
        context = chromium.new_context(locale="en-GB")
        page = context.new_page()
        keys = Keyboard(page)

        def counts(task: str, kind: str, *pressed: str, text: str = "", path: str = "rulings") -> None:
            """Does a task from where its target has the focus, and takes it back with one key."""
            before = keys.inputs
            with keys.sends(path) as answer:
                for key in pressed:
                    if key == "Enter":
                        keys.asked()
                        if text:
                            keys.type(text)
                        else:
                            keys.chosen()
                    keys.press(key)
            assert [one["kind"] for one in answer["rulings"]] == [kind], task
            assert [one.kind for one in rulings_in_force(home.library.registry)] == [kind], task
            taken[task] = keys.inputs - before
            page.locator("#ribbon", has_text="1 ruling is not published.").wait_for()
            before = keys.inputs
            with keys.sends("undo"):
                keys.press("z")
            taken["undo"] = keys.inputs - before
            page.locator("#ribbon:not(:has(p))").wait_for(state="attached")
            assert rulings_in_force(home.library.registry) == ()

        def to(name: str, at: int = 0) -> None:
            page.goto(f"{address}/review/people/{name}")
            page.locator(".tile:focus").wait_for()
            keys.press(*["ArrowRight"] * at)

        def to_person(name: str) -> None:
            page.goto(f"{address}/review/people")
            keys.find(name)

        to_person("faceset_001")
        counts("name", "name", "n", "Enter", text="Anna")
        to_person("faceset_001")
        counts("merge", "same", "m", "Enter")
        to_person("faceset_001")
        counts("ignore", "ignore", "i")
        to_person("faceset_001")
        counts("approve", "approve", "a")
        to("faceset_001")
        counts("feature", "feature", "f")
        to("faceset_001", at=1)
        counts("not this person", "not_person", "x")
        to("faceset_001", at=1)
        counts("move", "assign", "v", "Enter")
        to("faceset_001", at=1)
        examples = [key for _ in range(EXAMPLES) for key in (" ", "ArrowRight")][:-1]
        counts("split", "split", *examples, "p")
        page.goto(f"{address}/review/queue")
        heading = page.locator("#card h2")
        heading.wait_for()
        while heading.inner_text() != "Are these two one person?":
            with keys.sends("answers"):
                keys.press(" ")
            page.wait_for_timeout(100)
        counts("same or different", "same", "s", path="answers")
        context.close()
    assert taken == {
        "name": 2, "merge": 2, "split": EXAMPLES + 1, "move": 2, "not this person": 1, "same or different": 1,
        "ignore": 1, "feature": 1, "approve": 1, "undo": 1,
    }  # fmt: skip
    assert sum(taken[task] for task in CORE) <= 14

"""A sitting at the review page with the keyboard alone: drawn rulings of all kinds, and all of them taken back."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from testing.http import ask_http
from testing.review_keys import Keyboard

_NO_RULING = ("␣", "t", "k")
"""Keys of answers that rule nothing, or the numbers of all."""


@dataclass
class Sitting:
    """One visitor, whose choices are drawn."""

    keys: Keyboard
    address: str
    dice: random.Random
    made: list[str] = field(default_factory=list)
    """Ids of the rulings, the oldest first."""
    kinds: Counter[str] = field(default_factory=Counter)

    def people(self) -> dict[str, int]:
        """Name -> faces, of everybody as they are now."""
        found = ask_http(self.address, "/review/api/people").json
        return dict(zip(found["name"], found["faces"], strict=True))

    def rule(self, count: int) -> None:
        """So many rulings more, all kinds in turn; what is refused is passed over."""
        ways: Sequence[Callable[[], dict[str, Any]]] = (
            self._name, self._feature, self._not_person, self._approve, self._move, self._card, self._split,
            self._not_a_face, self._merge, self._ignore,
        )  # fmt: skip
        turn, until = 0, len(self.made) + count
        while len(self.made) < until:
            way = ways[turn % len(ways)] if turn < len(ways) else self.dice.choice(ways[:-2])
            turn += 1
            self._take(way())
            if turn > 4 * count + 20:
                raise RuntimeError(f"only {len(self.made)} of {until} rulings were made: {self.kinds}")

    def _take(self, answer: dict[str, Any]) -> None:
        for one in answer.get("rulings", ()) if answer.get("status") == 201 else ():
            self.made.append(one["ruling_id"])
            self.kinds[one["kind"]] += 1
        dialog = self.keys.page.locator("dialog[open]")
        if answer.get("status") == 409:  # what speaks against it is shown
            dialog.wait_for()
            self.keys.press("Escape")
            dialog.wait_for(state="detached")

    def _somebody(self, least: int = 3) -> str:
        return self.dice.choice(sorted(name for name, faces in self.people().items() if faces >= least))

    def _found(self, least: int = 3) -> None:
        """The focus on somebody, on the page of all people."""
        name = self._somebody(least)
        self._to("p", "people")
        self.keys.find(name)

    def _opened(self, least: int = 3) -> None:
        """The focus on a face of somebody."""
        name = self._somebody(least)
        self._to("p", "people")
        self.keys.open(name)
        self.keys.press(*["ArrowRight"] * self.dice.randrange(least))

    def _to(self, letter: str, place: str) -> None:
        self.keys.page.evaluate("document.activeElement?.blur()")
        self.keys.go(letter, place)

    def _name(self) -> dict[str, Any]:
        self._found()
        self.keys.press("n")
        self.keys.asked()
        self.keys.press("Control+a")
        self.keys.type(f"Person {self.dice.randrange(1000)}")
        with self.keys.sends("rulings") as answer:
            self.keys.press("Enter")
        return answer

    def _approve(self) -> dict[str, Any]:
        self._found()
        with self.keys.sends("rulings") as answer:
            self.keys.press("a")
        return answer

    def _ignore(self) -> dict[str, Any]:
        self._found()
        with self.keys.sends("rulings") as answer:
            self.keys.press("i")
        return answer

    def _merge(self) -> dict[str, Any]:
        self._found()
        self.keys.press("m")
        self.keys.chosen()
        with self.keys.sends("rulings") as answer:
            self.keys.press("Enter")
        return answer

    def _move(self) -> dict[str, Any]:
        self._opened()
        self.keys.press("v")
        self.keys.chosen()
        with self.keys.sends("rulings") as answer:
            self.keys.press("Enter")
        return answer

    def _face(self, key: str, least: int = 3) -> dict[str, Any]:
        self._opened(least)
        with self.keys.sends("rulings") as answer:
            self.keys.press(key)
        return answer

    def _feature(self) -> dict[str, Any]:
        return self._face("f")

    def _not_person(self) -> dict[str, Any]:
        return self._face("x")

    def _not_a_face(self) -> dict[str, Any]:
        return self._face("Shift+I", least=4)

    def _split(self) -> dict[str, Any]:
        self._opened(least=4)
        self.keys.press("End", " ")
        with self.keys.sends("rulings") as answer:
            self.keys.press("p")
        return answer

    def _card(self) -> dict[str, Any]:
        """An answer to the first card."""
        self._to("q", "queue")
        choices = self.keys.page.locator("#card .answers kbd")
        choices.first.wait_for()
        with self.keys.sends("answers") as answer:
            key = self.dice.choice([one for one in choices.all_inner_texts() if one not in _NO_RULING] or ["k"])
            self.keys.press(*(("1", "Enter") if key == "⏎" else (key,)))
        return answer

    def undo_last(self) -> None:
        """All of them, the newest first, with one key each."""
        self._to("p", "people")
        self.keys.page.locator(".tile:visible").first.wait_for()
        for _ in self.made:
            with self.keys.sends("undo") as answer:
                self.keys.press("z")
            assert answer["status"] == 200, answer

    def undo_any(self) -> None:
        """All of them in a drawn order, in the log."""
        order = self.dice.sample(self.made, len(self.made))
        for ruling in order:
            self.keys.page.goto(f"{self.address}/review/log")
            button = self.keys.page.locator(f"[data-undo='{ruling}']:visible")
            button.focus()
            with self.keys.sends("undo") as answer:
                self.keys.press("Enter")
            assert answer["status"] == 200, answer

    def publish(self, seconds: float = 600) -> None:
        """By the button of the ribbon, which Tab reaches."""
        self._to("p", "people")
        button = self.keys.page.locator("#ribbon button.main")
        button.focus()
        with self.keys.sends("publish") as answer:
            self.keys.press("Enter")
        assert answer["status"] == 202, answer
        self.keys.page.locator("#said", has_text="Published.").wait_for(timeout=seconds * 1000)

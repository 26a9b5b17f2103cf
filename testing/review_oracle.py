"""Somebody who knows who everybody is, at the questions of the review page, with the keyboard alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facesets_dagster.identities.scores import score_groups
from testing.http import ask_http
from testing.review_keys import Keyboard

MOST_KEYS = 9
"""Candidates of a grid that have a key."""
_KIND = {
    "Are these two one person?": "pair",
    "Who else is": "who_else",
    "Who is not": "who_not",
    "Both are in one photo": "impossible_pair",
    "Who is this?": "look_alikes",
    "Ignore these people": "ignore_strangers",
}


@dataclass
class Oracle:
    """Answers by the labels; what it does not know it is not sure of."""

    keys: Keyboard
    address: str
    person_of: Mapping[str, str]
    """face_id -> person, of the faces whose person is known."""

    def score(self) -> float:
        """BCubed F of the people as the page has them, over the known faces; a face that nobody has is alone."""
        group_of: dict[str, int] = {}
        for number, name in enumerate(ask_http(self.address, "/review/api/people").json["name"]):
            found = ask_http(self.address, f"/review/api/people/{name}/faces?by=rank").json["face_id"]
            group_of |= dict.fromkeys(found, number)
        people = {person: number for number, person in enumerate(sorted(set(self.person_of.values())))}
        groups = np.array([group_of.get(face, -1) for face in self.person_of], np.int64)
        return score_groups(groups, np.array([people[one] for one in self.person_of.values()], np.int64)).bcubed_f

    def answer(self) -> str | None:
        """Answers the card on the screen; gives its kind, None if there is none."""
        page = self.keys.page
        page.locator("#card h2, #card > p").first.wait_for()
        if not page.locator("#card h2").count():
            return None
        heading = page.locator("#card h2").inner_text()
        kind = next((one for words, one in _KIND.items() if heading.startswith(words)), "other")
        wanted = self._keys_for(kind, self._sides())
        with self.keys.sends("answers"):
            self.keys.press(*wanted)
        page.wait_for_timeout(150)  # the next cards are on their way
        return kind

    def _sides(self) -> list[str | None]:
        shown: Sequence[Sequence[str]] = self.keys.page.evaluate(
            "() => [...document.querySelectorAll('#card .side, #card .picks > li')]"
            ".map(one => [...one.querySelectorAll('img')].map(img => img.dataset.id))"
        )
        return [self._whose(faces) for faces in shown]

    def _whose(self, faces: Sequence[str]) -> str | None:
        """The person of most of the faces that are shown."""
        known = Counter(self.person_of[face] for face in faces if face in self.person_of)
        return known.most_common(1)[0][0] if known else None

    def _keys_for(self, kind: str, sides: Sequence[str | None]) -> tuple[str, ...]:
        first, *others = sides or [None]
        if kind == "pair" and None not in sides:
            return ("s" if first == others[0] else "d",)
        if kind in ("who_else", "who_not") and first is not None:
            picks = [(one == first) == (kind == "who_else") for one in others[:MOST_KEYS]]
            return (*(str(place) for place, picked in enumerate(picks, start=1) if picked), "Enter")
        if kind == "impossible_pair" and None not in sides:
            right = [one == first for one in others]
            return ("b" if all(right) else "1" if right[0] else "2" if right[1] else "n",)
        if kind == "look_alikes" and None not in sides:
            return ("1" if first == others[0] else "2" if first == others[1] else "n",)
        return ("i",) if kind == "ignore_strangers" else (" ",)

"""The words of the review page, in each language: one file for server and scripts (`static/lang/*.json`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
LANGUAGES = ("en", "de")
COOKIE = "facesets_language"


@dataclass(frozen=True)
class Words:
    """One language."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """The text with its values; with `count`, the singular (`<key>.one`) for 1, else the plural (`<key>.other`)."""
        if "count" in values:
            key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
        text = self.texts[key]
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text

    def get(self, key: str, otherwise: str) -> str:
        """The text of a key that may be absent."""
        return self.texts.get(key, otherwise)


@cache
def words(language: str) -> Words:
    """The words of one of `LANGUAGES`."""
    return Words(language, json.loads((STATIC / "lang" / f"{language}.json").read_text(encoding="utf-8")))


def language_for(chosen: str | None, cookie: str | None, accepted: str) -> str:
    """What the address says, else what was chosen before, else the browser's first language that there is."""
    for text in (chosen, cookie):
        if text in LANGUAGES:
            return text
    for part in accepted.split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]

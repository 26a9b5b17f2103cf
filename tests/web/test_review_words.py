"""The words of the review page: the same keys and values in every language, and each key that is used is there."""

import re
from pathlib import Path

import pytest

from facesets_dagster.identities.cards import ANSWERS, KINDS
from facesets_dagster.web.review.words import LANGUAGES, STATIC, language_for, words

REVIEW = STATIC.parent
USED = re.compile(r"""\bt\(\s*["']([a-z_.]+)["']""")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys_and_values(language: str) -> None:
    english, texts = words("en").texts, words(language).texts
    assert list(texts) == list(english)
    values = {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in texts.items()}
    assert values == {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in english.items()}
    assert all(text.strip(", ") for text in texts.values())


def test_every_key_that_is_used_is_there() -> None:
    files: list[Path] = [*STATIC.glob("*.js"), *(REVIEW / "templates").glob("*.html"), *REVIEW.glob("*.py")]
    used = {key for path in files for key in USED.findall(path.read_text(encoding="utf-8"))}
    used |= {f"card.{kind}" for kind in KINDS if kind != "known"}
    used |= {f"answer.{word}" for every in ANSWERS.values() for word in every}
    assert len(used) > 80
    known = words("en").texts
    whole = {key for key in used if not key.endswith(".")}  # others are completed while the page runs
    assert {key for key in whole if key not in known and f"{key}.other" not in known} == set()


def test_the_language_is_the_chosen_one_else_the_browsers() -> None:
    assert language_for("de", "en", "en") == "de"
    assert language_for(None, "de", "en") == "de"
    assert language_for("xx", None, "fr-CH, de-AT;q=0.8, en;q=0.5") == "de"
    assert language_for(None, None, "") == "en"
    assert words("de")("people.faces", count=1) == "1 Gesicht"
    assert words("en")("people.faces", count=0) == "0 faces"

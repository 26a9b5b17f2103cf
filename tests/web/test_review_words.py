"""The words of the review page: the same keys and values in every language, and nothing to read beside them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from facesets_dagster.identities.cards import ANSWERS, KINDS
from facesets_dagster.identities.ruling_words import said
from facesets_dagster.identities.rulings import KINDS as RULINGS
from facesets_dagster.identities.rulings import STANDS_FOR, STATES, VIAS, Ruling
from facesets_dagster.reports.funnel import meaning_of
from facesets_dagster.web.review.ruling_texts import said_of
from facesets_dagster.web.review.words import LANGUAGES, STATIC, language_for, words
from testing.made_up_rulings import face

REVIEW = STATIC.parent
USED = re.compile(r"""\bt\(\s*["']([a-z_.]+)["']""")
PAGES = [*STATIC.glob("*.js"), *(REVIEW / "templates").glob("*.html")]
NAMES = {"Dagster"}
"""Of programs: the same in every language."""
STATE_WORDS = [key.removeprefix("why.") for key in words("en").texts if key.startswith("why.")]


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
    used |= {f"state.{state}" for state in STATES} | {f"via.{via}" for via in VIAS}
    assert len(used) > 150
    known = words("en").texts
    whole = {key for key in used if not key.endswith((".", "_"))}  # others are completed while the page runs
    assert {key for key in whole if key not in known and f"{key}.other" not in known} == set()


def texts_of_templates(source: str) -> list[str]:
    """What HTML says between its tags, and in attributes that are read out; Jinja's and JavaScript's parts removed."""
    source = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<script.*?</script>", "", source, flags=re.DOTALL)
    spoken = re.findall(r"""\b(?:aria-label|title|alt|placeholder)=["']([^"']+)["']""", source)
    return [*re.sub(r"<[^>]*>", "\0", source).split("\0"), *spoken]


def html_of_module(source: str) -> str:
    """The text of the `html` literals of a module, without what is put into them."""
    source = re.sub(r"/\*.*?\*/|(?<![:'\"])//[^\n]*", "", source, flags=re.DOTALL)
    found, inside = list[str](), list[str]()  # of `inside` the last: `h` an html literal, `q` another one, `{` code
    for part in re.findall(r"html`|`|\$\{|[{}]|[^`${}h]+|.", source):
        literal = bool(inside) and inside[-1] in "hq"
        if part.endswith("`") and literal:
            inside.pop()
        elif part.endswith("`"):
            inside.append("h" if part == "html`" else "q")
        elif part == "${" and literal:
            inside.append("{")
        elif literal:
            found.append(part if inside[-1] == "h" else "")
        elif inside and part in ("{", "}"):
            inside.append("{") if part == "{" else inside.pop()
    return "".join(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda one: one.name)
def test_nothing_to_read_stands_outside_of_the_words(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    html = html_of_module(source) if path.suffix == ".js" else source
    assert path.suffix == ".html" or ("html`" in source) == bool(html)
    read = {text.strip() for text in texts_of_templates(html)}
    assert {text for text in read if re.search(r"[^\W\d_]{2}", re.sub(r"&\w+;", "", text))} <= NAMES
    if path.suffix == ".js":
        assert re.findall(r"""\bsay\(\s*["']""", source) == []


def test_a_text_outside_of_the_words_would_be_found() -> None:
    given = "t(`a.${b}`); f(html`<p>${one ? html`<b>Bold ${two}</b>` : ''} left</p>`)"
    assert html_of_module(given) == "<p><b>Bold </b> left</p>"
    assert html_of_module("f(html`<p>${f({a: t(`c.${d}`)})} left</p>`) // html`no`") == "<p> left</p>"
    assert texts_of_templates("<p aria-label='Read me'>{{ t('x') }} left</p>")[1:] == [" left", "", "Read me"]


def ruling(kind: str, count: int, **values: object) -> Ruling:
    spoken_of = tuple(face(str(place), "face") for place in range(count))
    names = {"a": "faceset_001", "b": "faceset_002"} if kind in ("same", "different", "split") else {STANDS_FOR: "A"}
    return replace(Ruling("", kind, "", "", "ui", spoken_of, names), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", RULINGS)
def test_a_ruling_says_in_english_what_the_library_says_and_has_other_words_in_german(kind: str) -> None:
    some = [ruling(kind, 1), ruling(kind, 3), ruling(kind, 2, names={}), ruling(kind, 1, payload={"lead": True})]
    some += [ruling(kind, 2, names={}, faces=(face("x", "a"), face("y", "b"), face("z", "b")))]
    some += [ruling(kind, 1, payload={"text": "Anna", "number": "cluster_distance", "new": 0.7, "old": 0.5})]
    for one in some[-1:] if kind == "threshold" else some:
        english, german = (said_of(one).in_words(words(language)) for language in ("en", "de"))
        assert english == said(one)
        assert german != english
        assert "{" not in german


@pytest.mark.parametrize("state", STATE_WORDS)
def test_why_a_face_is_left_out_is_said_as_in_the_reports(state: str) -> None:
    assert words("en")(f"why.{state}") == meaning_of(state)
    assert words("de")(f"why.{state}") != meaning_of(state)
    assert f"funnel.{state}" in words("en").texts


def test_the_language_is_the_chosen_one_else_the_browsers() -> None:
    assert language_for("de", "en", "en") == "de"
    assert language_for(None, "de", "en") == "de"
    assert language_for("xx", None, "fr-CH, de-AT;q=0.8, en;q=0.5") == "de"
    assert language_for(None, None, "") == "en"
    assert words("de")("people.faces", count=1) == "1 Gesicht"
    assert words("en")("people.faces", count=0) == "0 faces"

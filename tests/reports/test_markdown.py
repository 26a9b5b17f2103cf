"""What comes from files, folders and people stays text, as a Markdown parser reads it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.reports.markdown import Markdown, bullets, code, escape, link, markdown_table
from testing.markdown import AUTOMATIC_LINK, parsed, rows_of, what_it_opens

CRAFTED = (
    "![x](http://evil.example/x.png).jpg",
    "[click](http://evil.example)",
    "a|b",
    "a\\|b",
    "a\\",
    "`|`",
    "<img src=http://evil.example/x.png>",
    "<script>alert(1)</script>",
    "http://evil.example/x.png",
    "HTTPS://evil.example",
    "www.evil.example",
    "anna@evil.example",
    "line\nbreak\r\n| --- |",
    "\u202egpj.exe",
    "# heading",
    "- item",
    "1. item",
    "***bold*** _thin_ ~~gone~~",
    "&lt;b&gt; &#124;",
    "\udcff.jpg",
    " ",
)
ANY_TEXT = st.one_of(
    st.sampled_from(CRAFTED),
    st.text(max_size=30),
    st.text("|\\`*_[]()<>!&#~-+.:/@w \n\tah", max_size=20),
)


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.integers()), min_size=1, max_size=4))
def test_no_value_breaks_a_table_or_leads_anywhere(rows: list[tuple[str, str, int]]) -> None:
    text = markdown_table(("photo", "reason", "faces"), rows)
    (found,) = rows_of(text)
    assert [len(row) for row in found] == [3] * (len(rows) + 1)
    assert [row[2] for row in found[1:]] == [str(number) for _, _, number in rows]
    assert what_it_opens(text) == []
    assert not AUTOMATIC_LINK.search(text)


@given(st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_every_line_of_a_list_is_one_item_of_text(texts: list[str]) -> None:
    text = bullets(texts)
    kinds = [token.type for token in parsed(text)]
    assert kinds.count("list_item_open") == len(texts)
    assert {*kinds} <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close",
        "bullet_list_close",
    }  # fmt: skip
    assert what_it_opens(text) == []


@given(ANY_TEXT)
def test_code_stays_code(value: str) -> None:
    (inline,) = (token for token in parsed(f"Run {code(value)} now") if token.type == "inline")
    assert [child.type for child in inline.children or ()] == ["text", "code_inline", "text"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("faceset_001", "faceset_001"),
        ("IMG_1234 (2).jpg", "IMG_1234 (2).jpg"),
        ("crop_failed:looks_different", "crop_failed:looks_different"),
        ("Zoë Ångström", "Zoë Ångström"),
        (None, ""),
        (0.51234, "0.512"),
        (3, "3"),
        (Markdown("**3**"), "**3**"),
    ],
)
def test_what_is_harmless_is_not_touched(value: object, shown: str) -> None:
    assert escape(value) == shown


@given(ANY_TEXT)
def test_a_reader_sees_what_was_there_but_for_marks_that_nobody_sees(value: str) -> None:
    ((_, (cell,)),) = rows_of(markdown_table(("name",), [(value,)]))
    plain = re.sub(r"[ \t\n\r\v\f]+", " ", value.encode("utf-8", "replace").decode()).strip(" ")
    if plain.isprintable() and plain.isascii():
        assert re.sub(r" +", " ", cell.replace("\u2060", "")) == plain


def test_links_lead_to_our_own_files_only() -> None:
    text = link("](http://evil.example)", "buckets", "a/../b|c)")
    assert what_it_opens(text) == ["/files/buckets/a%2F..%2Fb%7Cc%29"]


def test_a_long_table_says_where_the_rest_is() -> None:
    text = markdown_table(("name",), [(str(number),) for number in range(7)], most=5, rest="the manifest")
    assert text.endswith("\n\n2 more in the manifest")
    assert len(rows_of(text)[0]) == 6
    assert markdown_table(("name",), [], empty="nobody") == "nobody"

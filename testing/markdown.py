"""Markdown as a parser reads it: CommonMark with tables, as Dagster's UI draws it."""

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

AUTOMATIC_LINK = re.compile(r"https?://|www\.|(?<=\w)@\w", re.IGNORECASE)
"""What the UI makes a link without Markdown."""
_PARSER = MarkdownIt("commonmark").enable("table")


def parsed(text: str) -> list[Token]:
    """The blocks."""
    return _PARSER.parse(text)


def rows_of(text: str) -> list[list[list[str]]]:
    """Table -> row -> cell, as a reader sees it; the head is the first row."""
    tables: list[list[list[str]]] = []
    tokens = parsed(text)
    for token, following in pairwise(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("td_open", "th_open"):
            children = following.children or ()
            tables[-1][-1].append("".join(child.content for child in children if child.type != "image"))
    return tables


def what_it_opens(text: str) -> list[str]:
    """Addresses of links and pictures, and pieces of HTML, but for pictures inside the text itself."""
    found = []
    for block in parsed(text):
        for token in (block, *(block.children or ())):
            if token.type in ("html_block", "html_inline"):
                found.append(token.content)
            found += [str(token.attrs[name]) for name in ("href", "src") if name in token.attrs]
    return [address for address in found if not address.startswith("data:image/")]

"""Markdown of values that come from files, folders and people: in the metadata of assets and in the text reports.

`Markdown` marks text that is Markdown already; everything else is escaped, so that no name of a file breaks a table,
draws a picture or leads to another host.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

FILES = "/files"
"""Where the guarded web server shows reports, library and buckets, beside the UI."""
MAX_ROWS = 500
"""Of a table in the metadata: Dagster keeps metadata in its event database."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters and marks that turn the direction of what follows."""
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])|^(?:[#+=]|-(?!\d)|\d+[.)](?=\s|$))")
_AUTOMATIC = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
"""Inside what becomes a link without being one; an invisible word joiner keeps it text."""


class Markdown(str):
    """Text that is Markdown and is not escaped again."""

    __slots__ = ()


def escape(value: object) -> Markdown:
    """A value as text on one line: nothing for None, three digits of a fraction, `Markdown` as it is."""
    if isinstance(value, Markdown):
        return value
    if value is None:
        return Markdown()
    if isinstance(value, float):
        return Markdown(f"{value:.3f}")
    text = _AUTOMATIC.sub("\u2060", _one_line(value).strip())
    return Markdown(_SPECIAL.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text))


def code(value: object) -> Markdown:
    """A value as code on one line, for commands; not for tables."""
    text = _one_line(value) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return Markdown(f"{fence} {text} {fence}" if len(fence) > 1 else f"`{text}`")


def fenced(lines: str) -> Markdown:
    """Lines as code, to be copied as they are."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", lines)), default=0))
    return Markdown(f"{fence}\n{lines}\n{fence}")


def markdown_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    most: int = MAX_ROWS,
    more: int = 0,
    empty: str = "none",
    rest: str = "the report",
) -> Markdown:
    """A table of the first `most` rows, numbers to the right.

    `more`: rows beyond those given; `empty`: the text where there is no row; `rest`: where all rows are.
    """
    if not rows:
        return Markdown(empty)
    numbers = [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(columns))]
    lines = [
        _line(column.replace("_", " ") for column in columns),
        _line(Markdown("---:" if number else "---") for number in numbers),
        *(_line(row) for row in rows[:most]),
    ]
    more += max(len(rows) - most, 0)
    if more:
        lines.append(f"\n{more} more in {rest}")
    return Markdown("\n".join(lines))


def link(text: str, *parts: str) -> Markdown:
    """A link to a file or folder below `/files`."""
    address = "/".join([FILES, *(quote(part, safe="") for part in parts)])
    return Markdown(f"[{escape(text)}]({address})")


def review_link(text: str, address: str) -> Markdown:
    """A link to the review page; `address`: see `reports.links`."""
    return Markdown(f"[{escape(text)}]({address})")


def faceset_link(name: str, *inside: str) -> Markdown:
    """A link to a faceset of the library."""
    return link(name, "library", *(inside or (name,)))


def bullets(texts: Sequence[object]) -> Markdown:
    """A list, a line each."""
    return Markdown("\n".join(f"- {escape(text)}" for text in texts))


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(escape(cell) for cell in cells)} |"


def _one_line(value: object) -> str:
    """Without what cannot be seen: line breaks and tabs become spaces, other marks the replacement character."""
    text = str(value).encode("utf-8", "replace").decode()
    return _UNSEEN.sub(lambda found: " " if found[0] in "\t\n\r\v\f\u2028\u2029" else "\ufffd", text)

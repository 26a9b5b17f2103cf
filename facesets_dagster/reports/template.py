"""The templates of the reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from facesets_dagster.reports.data_uri import data_uri
from facesets_dagster.reports.markdown import code, escape
from facesets_dagster.wording import counted


@cache
def template(name: str) -> Any:
    """A template of this package, compiled once; every value in it is escaped, as HTML or as Markdown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("facesets_dagster.reports"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        finalize=escape if name.endswith(".md") else None,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jpeg = partial(data_uri, "image/jpeg")
    environment.globals.update(counted=counted, code=code, jpeg=jpeg, layout_of=layout_of, shown=shown, when=when)
    return environment.get_template(name)


@dataclass(frozen=True)
class TableLayout:
    """How a table is laid out, by what it holds."""

    numbers: Sequence[bool]
    """Which columns hold numbers only."""
    is_wide: bool
    """Cards on tablets too, not on telephones alone."""
    keeps_words: bool
    """No word is broken; where they are too long for any screen, all may be."""


def layout_of(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> TableLayout:
    """The layout for the longest words of each column, in characters."""
    numbers = [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(columns))]
    longest = [
        max(len(word) for cell in (column.replace("_", " "), *(row[place] for row in rows)) for word in _words(cell))
        for place, column in enumerate(columns)
    ]
    total = sum(longest) + 2 * len(columns)
    return TableLayout(numbers, is_wide=len(columns) > 5 or total > 66, keeps_words=total <= 110)


def _words(cell: object) -> list[str]:
    return shown(cell).split() or [""]


def shown(cell: object) -> str:
    """A cell of a table: nothing for None, three digits of a fraction."""
    if cell is None:
        return ""
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def when(time: str) -> str:
    """`2026-01-31 12:00:00 UTC` for an ISO 8601 time; another text as it is."""
    try:
        return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return time

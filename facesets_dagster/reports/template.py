"""The templates of the reports."""

from collections.abc import Sequence
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
    environment.globals.update(counted=counted, code=code, jpeg=jpeg, numeric=numeric, shown=shown, when=when)
    return environment.get_template(name)


def numeric(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[bool]:
    """Which columns hold numbers only."""
    return [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(columns))]


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

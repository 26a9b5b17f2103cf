"""What commands print: JSON, or tables for a terminal of 80 columns, numbers on the right, nothing cut off."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import typer
from rich import box
from rich.table import Table
from rich.text import Text

_WHOLE = 32
"""Characters that a name in the first column may have without being broken (`faceset_1001_era_2010-2013`: 26)."""


def print_json(value: object) -> None:
    """`--json`: paths as text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def text_table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """The rows under a heading; the keys of the first row are the columns."""
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    if not rows:
        table.add_column("none yet")
        return table
    for column in rows[0]:
        number = all(isinstance(row[column], int | float | None) and not isinstance(row[column], bool) for row in rows)
        whole = table.columns == [] and max(len(str(row[column])) for row in rows) <= _WHOLE
        justify: Literal["right", "left"] = "right" if number else "left"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold", no_wrap=number or whole)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text("" if value is None else str(value))

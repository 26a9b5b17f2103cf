"""What commands print: JSON, tables for a terminal of 80 columns, and lists whose last column is never broken."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_WHOLE = 14
"""Characters of a word that is never broken; longer names are continued on the next line."""
_BROKEN = 8
"""Characters that a column whose cells are broken keeps."""
_NAME = 32
"""The same of a faceset's or a face's name, which is copied and typed again (`faceset_1001_era_2010-2013`: 26)."""


def print_json(value: object) -> None:
    """`--json`: paths as text, bytes that are no text as escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    typer.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


class FittingTable(Table):
    """Nothing of it is cut off: what does not fit is set closer, then broken into lines, the longest cells first."""

    def __init__(self, title: str) -> None:
        super().__init__(
            title=f"\n{title}",
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fits the columns to the width at hand."""
        widths = [max(cell_len(str(cell)) for cell in [column.header, *column.cells]) for column in self.columns]
        gaps = len(widths) - 1
        if sum(widths) + 2 * gaps > options.max_width:
            self.padding = (0, 0, 0, 0)
        widest_first = sorted(
            range(len(widths)), key=lambda place: (self.columns[place].justify == "right", -widths[place])
        )
        for place in widest_first:
            if self._least(widths) + gaps <= options.max_width:
                break
            self.columns[place].no_wrap = False
        return super().__rich_console__(console, options)

    def _least(self, widths: Sequence[int]) -> int:
        """Characters of all columns, if those that may be broken are as narrow as can be."""
        return sum(
            width if column.no_wrap else min(width, _BROKEN) for width, column in zip(widths, self.columns, strict=True)
        )


def text_table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """The rows under a heading; the keys of the first row are the columns.

    Numbers and short words keep their line, so that long names are what gives way on a narrow terminal.
    """
    table = FittingTable(title)
    if not rows:
        table.show_header = False
        table.add_row("none yet")
        return table
    for column in rows[0]:
        cells = [row[column] for row in rows]
        longest = max(cell_len(_cell(cell).plain) for cell in cells)
        whole = _is_number(cells) or longest <= (_NAME if column in ("faceset", "face", "name") else _WHOLE)
        justify: Literal["right", "left"] = "right" if _is_number(cells) else "left"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def print_lines(console: Console, title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """One line for each row, its last column as long as it is: paths can be copied and clicked."""
    console.print(f"\n{title}", style="bold", markup=False)
    if not rows:
        console.print("none yet")
        return
    columns = list(rows[0])
    cells = [[column.replace("_", " ") for column in columns]]
    cells += [[_cell(row[column]).plain for column in columns] for row in rows]
    widths = [max(cell_len(line[place]) for line in cells) for place in range(len(columns) - 1)]
    right = [_is_number([row[column] for row in rows]) for column in columns]
    for number, line in enumerate(cells):
        padded = [_padded(line[place], width, right[place]) for place, width in enumerate(widths)]
        console.print("  ".join([*padded, line[-1]]), markup=False, soft_wrap=True)
        if number == 0:
            console.print("─" * min(console.width, sum(widths) + 2 * len(widths) + cell_len(line[-1])))


def _padded(text: str, width: int, right: bool) -> str:
    gap = " " * (width - cell_len(text))
    return gap + text if right else text + gap


def _is_number(cells: Sequence[object]) -> bool:
    return all(isinstance(cell, int | float | None) and not isinstance(cell, bool) for cell in cells)


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    text = "" if value is None else str(value)
    return Text(text.encode("utf-8", "replace").decode("utf-8"))

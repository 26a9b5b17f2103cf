"""Tables of commands in a terminal of 80 columns."""

import io
from collections.abc import Mapping, Sequence

from rich.console import Console

from facesets_dagster.cli.tables import text_table


def printed(rows: Sequence[Mapping[str, object]], width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(text_table("Facesets", rows))
    return out.getvalue().splitlines()


def row(faceset: str, person: str, bucket: str) -> dict[str, object]:
    return {"faceset": faceset, "person": person, "kind": "era", "bucket": bucket, "input": 1234, "exported": 1043}


def test_the_name_of_an_era_and_numbers_are_not_broken() -> None:
    era = "faceset_001_era_2010-2013"
    lines = printed([row("faceset_001", "Anna Maria Smith-Jones", "holidays 2010 by the sea"), row(era, "Anna", "b")])
    assert [line for line in lines if line.startswith(f"{era} ")]
    assert all(len(line) <= 80 for line in lines)
    assert sum("1234" in line and "1043" in line for line in lines) == 2


def test_nothing_is_cut_off() -> None:
    bucket, long = "q" * 130, "z" * 60
    text = "".join("".join(printed([row(long, "Anna", bucket)])).split())
    assert text.count("q") == 130
    assert text.count("z") == 60

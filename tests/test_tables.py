"""Tables of commands in a terminal of 80 columns."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from facesets_dagster.cli.run_results import BucketResult, _row
from facesets_dagster.cli.tables import print_lines, text_table
from facesets_dagster.photos.bucket_key import partition_key


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


NAMES = ("trip", "sixteen letters!", "a holiday by the sea with everybody, 2019", "x" * 60, "家族のアルバム" * 4)


def test_buckets_of_any_name_leave_the_result_of_a_run_whole() -> None:
    metadata = {"face_cache": {"files": 12345, "faces": 23456}, "swap_ready_facesets": {"exported": 12345}}
    results = [BucketResult(partition_key(name), False, "run", metadata, "", False) for name in NAMES]
    lines = printed([_row(result) for result in results])
    assert all(cell_len(line) <= 80 for line in lines)
    assert sum(line.rstrip().endswith("failed") for line in lines) == len(NAMES)
    assert sum("12345" in line and "23456" in line for line in lines) == len(NAMES)
    text = "".join("".join(lines).split())
    assert text.count("x") == 60 + 2, "of exported, and of sixteen"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("length", range(4, 34))
def test_no_character_of_a_run_s_table_is_cut_off(width: int, length: int) -> None:
    metadata = {"face_cache": {"files": 12345, "faces": 23456}, "swap_ready_facesets": {"exported": 12345}}
    rows = [_row(BucketResult("q" * length, False, "run", metadata, "", False))]
    lines = printed(rows, width)
    assert all(cell_len(line) <= width for line in lines)
    expected = Counter("".join([*rows[0], *(str(cell) for cell in rows[0].values() if cell is not None), "Facesets"]))
    assert Counter("".join("".join(lines).replace("─", "").split())) == expected


def test_headings_are_whole_at_80_columns_beside_a_name_of_14() -> None:
    metadata = {"face_cache": {"files": 12345, "faces": 23456}, "swap_ready_facesets": {"exported": 12345}}
    row = _row(BucketResult("family album 2", False, "run", metadata, "", False))
    _, _, heading, _, line = printed([row])
    assert heading.split() == list(row)
    assert line.startswith("family album 2 ")


def test_columns_stand_closer_before_a_name_is_broken() -> None:
    metadata = {"face_cache": {"files": 115, "faces": 42}}
    names = ["half_faces", "many formats", "many_pixels", "one_picture_sizes"]
    lines = printed([_row(BucketResult(name, True, "run", metadata, "", False)) for name in names])
    assert [name for name in names[:3] if not any(line.startswith(f"{name} ") for line in lines)] == []


def test_a_table_without_rows_says_so() -> None:
    assert [line.rstrip() for line in printed([])] == ["", "Facesets", "none yet"]


def test_no_word_of_a_heading_or_state_is_broken() -> None:
    run = {"photos": 1, "state": "up to date", "last_run": "2026-11-28 16:06"}
    lines = printed([{"bucket": name, **run} for name in NAMES])
    assert sum("up to date" in line and "2026-11-28 16:06" in line for line in lines) == len(NAMES)
    assert {"bucket", "photos", "state"} <= {*" ".join(lines).split()}


def test_a_path_at_the_end_of_a_line_is_not_broken() -> None:
    out, path = io.StringIO(), "/photos/" + "a long name/" * 20 + "IMG_0001.jpg"
    print_lines(Console(file=out, width=80), "Photos", [{"state": "exported", "photo": path}])
    assert f"exported  {path}" in out.getvalue().splitlines()

"""Contact sheets and the funnel's picture: within their budgets, true to the numbers, off where someone wants it so."""

import base64
import io
import os

import numpy as np
import polars as pl
import pytest
from PIL import Image

from facesets_dagster.publishing.funnel import STATES
from facesets_dagster.reports.contact_sheet import MAX_MARKDOWN_BYTES, SheetRow, Tile, sheet_markdown
from facesets_dagster.reports.funnel import Funnel, funnel_picture, funnel_table
from testing.fake_home import FakeHome
from testing.fakes import write_person


def noise(side: int = 128) -> bytes:
    stream = io.BytesIO()
    pixels = np.frombuffer(os.urandom(side * side * 3), np.uint8).reshape(side, side, 3)
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("rows", [1, 2, 60])
def test_a_sheet_stays_within_its_budget_whatever_it_shows(rows: int) -> None:
    jpeg = noise()
    tiles = [Tile(jpeg, f"{i} · 0.5") for i in range(20)]
    markdown = sheet_markdown([SheetRow(f"faceset_{n:03d}", tiles) for n in range(rows)])
    assert len(markdown) <= MAX_MARKDOWN_BYTES
    address = markdown.split("base64,")[1].split(")")[0]
    with Image.open(io.BytesIO(base64.b64decode(address))) as picture:
        assert picture.width > 8 * 96
    assert (" more in the report" in markdown) == (rows == 60)


def test_a_row_says_how_many_of_all_faces_it_shows() -> None:
    tiles = [Tile(b"", "")] * 12
    assert SheetRow("faceset_001", tiles, 12).heading(8) == "faceset_001: 8 of 12 faces"
    assert SheetRow("faceset_001", tiles, 12).heading() == "faceset_001: 12 faces"
    assert SheetRow("faceset_001", tiles[:1], 1).heading(8) == "faceset_001: 1 face"
    assert SheetRow("two people", tiles).heading(8) == "two people"


def test_nothing_to_show_is_said() -> None:
    assert sheet_markdown([]) == "nothing to show"
    assert sheet_markdown([SheetRow("empty", [])]) == "nothing to show"


def test_the_picture_of_the_funnel_shows_without_a_click_even_with_every_state() -> None:
    funnel = Funnel(9, 0, 9, 0, 0, 10_000 * len(STATES), dict.fromkeys(STATES, 10_000))
    markdown = funnel_picture(funnel)
    assert len(markdown) < 1500, "less than what a screen of metadata holds"
    assert all(f"{state} 10000" in markdown for state in STATES)
    assert funnel_table(funnel).count("\n") == 5 + len(STATES)


def sheets_and_funnel(home: FakeHome) -> dict[str, object]:
    result = home.run("a")
    events = result.asset_materializations_for_node("swap_ready_facesets")
    return {key: value.value for key, value in events[0].metadata.items()}


def test_the_ui_gets_sheets_links_and_sums_that_close(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 3)
    (fake_home.buckets / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    found = sheets_and_funnel(fake_home)
    assert str(found["contact_sheet"]).startswith("![](data:image/jpeg;base64,")
    assert str(found["contact_sheet_not_exported"]).startswith("![](data:image/jpeg;base64,")
    assert str(found["report"]).startswith("[the report of this run](/files/reports/a/")
    assert "(/files/library/faceset_001)" in str(found["facesets_of_bucket"])
    decisions = fake_home.library.registry.decisions("a")
    assert (found["files"], found["faces"]) == (12, len(decisions))
    states = dict(decisions.group_by("state").len().iter_rows())
    for state, count in states.items():
        assert f"| - {state} | {count} |" in str(found["funnel"])
    assert sum(states.values()) == found["faces"]
    assert all(len(str(value)) <= MAX_MARKDOWN_BYTES for value in found.values())
    run = fake_home.instance.get_runs()[0]
    assert {key: run.tags[f"facesets/{key}"] for key in ("bucket", "model_pack", "made")} == {
        "bucket": "a", "model_pack": "fake", "made": "1 founded",
    }  # fmt: skip


def test_pictures_are_kept_out_of_the_event_database_on_request(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.settings = fake_home.settings.model_copy(update={"pictures_in_ui": False})
    found = sheets_and_funnel(fake_home)
    assert not [key for key in found if "sheet" in key]
    assert "image/jpeg" not in str(found)
    assert "report" in found


def test_the_report_explains_every_face_that_is_not_exported(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 3)
    fake_home.run("a")
    (page,) = (fake_home.settings.reports_dir / "a").glob("*.html")
    html, text = page.read_text(), page.with_suffix(".md").read_text()
    missing = fake_home.library.registry.decisions("a").filter(pl.col("state") != "exported")["face_id"].to_list()
    assert missing
    assert [face_id for face_id in missing if face_id not in html] == []
    for section in ("Source", "Covered by existing identities", "Clusters", "Parameters", "How to run it again"):
        assert f"<h2>{section}</h2>" in html
    assert "| faceset_001 |" in text
    assert "## How to run it again" in text

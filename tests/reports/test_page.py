"""The page of a run: it shows what was published, asks nobody for anything, and trusts no name."""

import base64
import io
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from facesets_dagster.reports import run_report
from facesets_dagster.reports.index import RunLine, add_run, write_index
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.labels import give_label


def pages(home: FakeHome, bucket: str) -> list[str]:
    folder = home.settings.reports_dir / bucket
    return [path.read_text() for path in sorted(folder.glob("*.html"), key=lambda path: path.stat().st_mtime_ns)]


def test_a_page_shows_changes_states_pictures_and_numbers(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a & b", 1, 8)
    write_person(fake_home.buckets / "a & b", 2, 2)
    fake_home.run("a %26 b", osrc_clusters={"min_blur": 41})
    (html,) = pages(fake_home, "a %26 b")
    assert "<h1>a &amp; b</h1>" in html
    assert re.search(r"<li>faceset_001: founded, \d+ faces exported</li>", html)
    assert re.search(r'<td class="word">small_cluster</td><td data-label="faces" class="number">2</td>', html)
    assert re.search(r"min_blur</td>.*osrc_clusters.*>41.0</td>.*variance of the Laplacian", html)
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', html)
    exported = fake_home.library.registry.decisions("a %26 b")["state"].to_list().count("exported")
    assert len(pictures) >= exported >= 3
    assert html.count('alt="faceset_001, ') == exported
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]))) as picture:
        assert picture.size == (128, 128)
    fake_home.run("a %26 b", osrc_clusters={"min_blur": 41})
    assert "Nothing changed: same photos" in pages(fake_home, "a %26 b")[1]


def test_a_page_asks_nobody_for_anything(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    (html,) = pages(fake_home, "a")
    links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')>\s]+)', html)
    others = {link for link in links if not link.startswith(("data:", "#faceset_"))}
    photos = {f"../../buckets/a/{path.name}" for path in (fake_home.buckets / "a").iterdir()}
    assert others - photos == {"../index.html", "../../buckets/a/", "../../facesets_swap_ready/faceset_001/"}
    assert others & photos
    folder = fake_home.settings.reports_dir / "a"
    assert [link for link in others if not (folder / link).exists()] == []
    assert "<script" not in html


def test_names_are_written_as_text(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    give_label(fake_home.library.registry, "faceset_001", "<script>alert(1)</script>")
    fake_home.run("a")
    html = pages(fake_home, "a")[1]
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_long_facesets_are_cut_short(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_report, "MAX_FACES", 2)
    write_person(fake_home.buckets / "a", 1, 9)
    fake_home.run("a")
    (html,) = pages(fake_home, "a")
    assert html.count('alt="faceset_001, ') == 2
    assert re.search(r"2 of \d+ faces; all are in ", html)


def test_the_index_leads_to_every_run_and_survives_a_line_that_was_cut_off(fake_home: FakeHome) -> None:
    for bucket, key in (("a", "a"), ("b [2]", "b %5B2%5D")):
        write_person(fake_home.buckets / bucket, 1 if bucket == "a" else 2, 8)
        fake_home.run(key)
    reports = fake_home.settings.reports_dir
    with open(reports / "runs.jsonl", "a") as stream:
        stream.write('{"bucket": "a", "run')
    html = write_index(reports).read_text()
    links = re.findall(r'<a href="([^"]+\.html)"', html.partition('id="runs"')[2])
    assert links[0].startswith("b%20%255B2%255D/")
    assert len({*links}) == 2
    assert [link for link in links if not (reports / unquote(link)).exists()] == []
    assert '">b [2]</a></td>' in html
    assert "%5B" not in re.sub(r'="[^"]*"', "", html), "keys are for addresses"
    assert html.partition('id="runs"')[2].count("1 founded") == 2


def test_the_index_shows_people_and_buckets(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "b [2]", 1, 8)
    fake_home.run("b %5B2%5D")
    give_label(fake_home.library.registry, "faceset_001", "Anna <Lee>")
    fake_home.materialize("top_manifest")
    people, _, rest = (fake_home.settings.reports_dir / "index.html").read_text().partition('id="buckets"')
    assert "Anna &lt;Lee&gt;</a></b>faceset_001<br>" in people
    (picture,) = re.findall(r'<img src="([^"]+)"', people)
    assert (fake_home.settings.reports_dir / picture).is_file()
    buckets = rest.partition('id="runs"')[0]
    assert "b [2]</a></td>" in buckets
    assert "1 founded" in buckets


def test_the_row_of_a_bucket_says_who_joined_too(tmp_path: Path) -> None:
    moment = "2026-01-01T00:00:00+00:00"
    add_run(tmp_path, RunLine("trip", "one", moment, "5 faces joined faceset_001", system="extended_facesets"))
    add_run(tmp_path, RunLine("trip", "one", moment, "2 founded", faces=9, exported=8))
    text = (tmp_path / "index.html").read_text()
    assert text.count("2 founded; 5 faces joined faceset_001") == 1
    assert text.count("5 faces joined faceset_001") == 2


def test_a_page_of_what_only_reads_does_not_say_that_it_did_nothing(tmp_path: Path) -> None:
    moment = "2026-01-01T00:00:00+00:00"
    add_run(tmp_path, RunLine("@library", "one", moment, "20 files written", system="consumer_exports"))
    add_run(tmp_path, RunLine("@library", "two", moment, system="merge_proposals"))
    text = (tmp_path / "index.html").read_text()
    assert "20 files written" in text
    assert "library unchanged" in text
    assert "nothing new" not in text

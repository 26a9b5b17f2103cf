"""Ways from the UI and its reports to the review page, and back; none to it where there is no such page."""

import re
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.reports.links import as_served, review_page_of
from testing.fake_home import FakeHome
from testing.http import ask_http
from testing.rulings import three_people
from testing.served_files import served_review

PAGE = '<a hidden data-review="/review/queue">review page</a>'


def test_a_page_on_disk_hides_the_links_that_the_server_shows() -> None:
    assert as_served(PAGE, review=True) == '<a href="/review/queue">review page</a>'
    assert as_served(PAGE, review=False) == PAGE
    assert [review_page_of(name) for name in ("merge_proposals", "applied_rulings", "era_facesets")] == [
        "/review/queue", "/review/log", "/review/people",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", [None, "off"])
def test_reports_and_pages_link_to_the_review_where_there_is_one(
    fake_home: FakeHome, tmp_path: Path, mode: str | None
) -> None:
    three_people(fake_home)
    settings = fake_home.settings.model_copy(update={"review": mode})
    report = next(settings.reports_dir.glob("a/*.html"))
    paths = [
        "/files/reports/index.html",
        f"/files/reports/a/{report.name}",
        "/files/library/",
        "/files/library/faceset_001/",
    ]
    with served_review(settings) as address:
        shown = {path: ask_http(address, path).text for path in paths}
    for path, text in shown.items():
        assert ('href="/review/' in text) == (mode is None), path
    assert 'href="/review' not in report.read_text(encoding="utf-8")


@pytest.mark.parametrize("review", [True, False])
def test_metadata_links_to_the_page_on_it(fake_home: FakeHome, review: bool) -> None:
    three_people(fake_home)
    fake_home.settings = fake_home.settings.model_copy(update={"review": None if review else "off"})
    result = fake_home.materialize("applied_rulings", "merge_proposals", "review_queue", "top_manifest")
    events = result.get_asset_materialization_events()
    shown = {str(event.asset_key.to_user_string()): event.materialization.metadata for event in events}
    for name, page in (("applied_rulings", "log"), ("merge_proposals", "queue"), ("review_queue", "queue")):
        link = shown[name].get("review")
        assert (link is not None) == review, name
        if link is not None:
            assert isinstance(link, dg.MarkdownMetadataValue)
            assert f"](/review/{page})" in str(link.value)


def test_the_review_leads_back_to_assets_runs_and_reports(fake_home: FakeHome) -> None:
    three_people(fake_home)
    wanted = {
        "people": ["/assets/top_manifest", "/files/reports/index.html"],
        "queue": ["/assets/review_queue"],
        "log": ["/assets/applied_rulings"],
        "people/faceset_001": [
            "/assets/swap_ready_facesets?view=partitions&amp;partition=a", "/files/buckets/a/", "/runs/",
            "/files/facesets_swap_ready/faceset_001/",
        ],
    }  # fmt: skip
    with served_review(fake_home.settings) as address:
        for path, links in wanted.items():
            found = re.findall(r'href="([^"]*)"', ask_http(address, f"/review/{path}").text)
            for link in links:
                assert any(one.startswith(link) for one in found), (path, link)

"""Names of files, folders and people that are Markdown or HTML: they stay text in the UI and in the text reports."""

import re
from html.parser import HTMLParser
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.photos.bucket_key import partition_key
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.labels import give_label
from testing.markdown import AUTOMATIC_LINK, rows_of, what_it_opens

LABEL = "A|B ![x](http://evil.example/x.png) <img src=x>"
FOLDER = "![x](www.evil.example) a|b"
NAMES = (
    "![x](%2F%2Fevil.example%2Fx.png).jpg",
    "[click](javascript:alert(1)).jpg",
    "a|b.jpg",
    "a\\|b.jpg",
    "<img src=x onerror=alert(1)>.jpg",
    "www.evil.example.jpg",
    "anna@evil.example.jpg",
    "new\nline | --- |.jpg",
    "\u202egpj.exe.jpg",
    "`code`.jpg",
)


def markdown_of(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """`asset or check: key` -> text, of all Markdown in the metadata of a run."""
    found = {}
    for event in result.get_asset_materialization_events():
        shown = event.materialization.metadata
        found |= {f"{event.asset_key}: {key}": value for key, value in shown.items()}
    for check in result.get_asset_check_evaluations():
        found |= {f"{check.check_name}: {key}": value for key, value in check.metadata.items()}
    texts = {key: value.value for key, value in found.items() if isinstance(value, dg.MarkdownMetadataValue)}
    return {key: text for key, text in texts.items() if text}


@pytest.fixture
def crafted(fake_home: FakeHome) -> FakeHome:
    """Two people of one look in two buckets, one of them sorted by hand; photos that cannot be read; labels."""
    for bucket in (FOLDER, "b"):
        write_person(fake_home.buckets / bucket, 1, 8)
        write_person(fake_home.buckets / bucket, 2, 2)
        for name, photo in zip(NAMES, sorted((fake_home.buckets / bucket).glob("*.png")), strict=False):
            photo.rename(photo.with_name(name.replace(".jpg", ".png")))
        for name in NAMES:
            (fake_home.buckets / bucket / name).write_bytes(b"\xff\xd8\xff no")
    write_person(fake_home.people / FOLDER, 3, 6)
    return fake_home


def test_no_name_breaks_a_table_or_leads_to_another_host(crafted: FakeHome) -> None:
    key = partition_key(FOLDER)
    results = [crafted.run(key, job="full_pipeline")]
    for identity in crafted.library.registry.identities():
        give_label(crafted.library.registry, identity.name, LABEL)
    results.append(crafted.run("b", job="full_pipeline", era_facesets={"split": ["*"], "min_era_faces": 2}))
    results.append(crafted.materialize("first_look", "what_if", bucket=key))
    results.append(
        crafted.materialize(
            "library_duplicates", "merge_proposals", "faceset_completeness", "consumer_exports", "consumer_simulation"
        )
    )
    shown = {key: text for result in results for key, text in markdown_of(result).items()}
    assert any("files_readable" in key for key in shown)
    assert any(rows_of(text) for text in shown.values())
    for key, text in shown.items():
        check(key, text)
    reports = list(crafted.settings.reports_dir.rglob("*.md"))
    assert len(reports) >= 8
    for report in reports:
        check(report.name, report.read_text())
    pages = list(crafted.settings.reports_dir.rglob("*.html"))
    assert len(pages) >= 8
    for page in pages:
        check_page(page.name, page.read_text())
    messages = [event.message or "" for result in results for event in result.all_events]
    messages += [entry.message for result in results for entry in crafted.instance.all_logs(result.run_id)]
    assert [message for message in messages if "\u202e" in message or "new\nline" in message] == []


def check(name: str, text: str) -> None:
    """Tables are whole, addresses our own."""
    for table in rows_of(text):
        assert len({len(row) for row in table}) == 1, f"{name}\n{text}"
    opened = what_it_opens(text)
    elsewhere = [one for one in opened if not one.startswith(("/files/", "/review/")) and not is_report(one)]
    assert elsewhere == [], f"{name}\n{text}"
    prose = re.sub(r"\]\([^)]*\)|`[^`]*`", "", text)  # without code and the addresses of links and pictures
    assert not AUTOMATIC_LINK.search(prose), f"{name}\n{text}"


def check_page(name: str, text: str) -> None:
    """Nothing of a name is an element, an attribute that runs, or an address of another host."""
    page = Elements()
    page.feed(text)
    page.close()
    assert page.tags & {"script", "iframe", "object", "embed", "base", "form", "link"} == set(), name
    assert [one for one in page.attributes if one[0].startswith("on")] == [], name
    loaded = [value for key, value in page.attributes if key in ("src", "href", "srcset", "action", "data")]
    assert [
        one for one in loaded if re.match(r"(?i)\s*(//|[a-z]+:)", one) and not one.startswith("data:image/")
    ] == [], name
    assert page.unclosed_tables == 0, name


class Elements(HTMLParser):
    """Which elements and attributes a page has; whether each row of a table has as many cells as its head."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.unclosed_tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        self.unclosed_tables += tag == "table"

    def handle_endtag(self, tag: str) -> None:
        self.unclosed_tables -= tag == "table"


def is_report(address: str) -> bool:
    """A page beside the text."""
    return Path(address).name == address and address.endswith(".html")

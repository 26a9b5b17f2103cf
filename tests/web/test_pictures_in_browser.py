"""In a real browser: our pages show all their pictures, pages of others show none, and nothing in a bucket runs."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from facesets_dagster.photos.bucket_key import partition_key
from testing.browser import BROKEN_PICTURES
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.served_files import served_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUCKET = "Büro & [2019]"
KEY = "B%C3%BCro%20%2526%20%255B2019%255D"
LOOKS = [-0.9, -0.4, 0.1, 0.15, 0.5, 0.9]
SCRIPT = "<script>document.title = 'ran'; fetch('/graphql', {method: 'POST'})</script>"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """A person in a bucket, beside a damaged photo and two files that would run scripts."""
    with fake_home_in(tmp_path_factory.mktemp("pictures")) as home:
        write_looks(home.buckets / BUCKET, 1, LOOKS)
        photo = next(path.name for path in (home.buckets / BUCKET).iterdir())
        home.run(partition_key(BUCKET), osrc_clusters={"min_faces": 3})
        (home.buckets / BUCKET / "damaged.jpg").write_bytes(b"\xff\xd8\xff damaged")
        (home.buckets / BUCKET / "page.html").write_text(f'<title>still</title><img src="{photo}">{SCRIPT}')
        drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><title>still</title>{SCRIPT}</svg>'
        (home.buckets / BUCKET / "drawing.svg").write_text(drawing)
        yield home


@contextmanager
def other_site(folder: Path) -> Iterator[int]:
    """The port of a server that shows the folder."""

    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.timeout(300)
def test_our_pages_show_their_pictures_and_lead_from_one_to_the_next(home: FakeHome, chromium: "Browser") -> None:
    page = chromium.new_page()
    with served_files(home.settings) as address:
        page.goto(f"{address}/files/buckets/{KEY}/")
        assert page.locator("h1").inner_text() == BUCKET
        assert page.evaluate(BROKEN_PICTURES) == {"count": 1 + len(LOOKS) + 1, "broken": []}
        page.get_by_role("link", name="faceset_001").last.click()
        assert page.locator("h1").inner_text() == "faceset_001"
        shown = page.evaluate(BROKEN_PICTURES)
        assert shown["broken"] == []
        exported = len(list((home.settings.library_dir / "faceset_001" / "faces").iterdir()))
        members, photos = len(LOOKS), len(LOOKS)
        assert shown["count"] == 1 + members + photos, "the best face, a face of each member, and each photo"
        body = page.locator("body").inner_text()
        assert f"{exported} pictures" in body
        assert "near_duplicate · value similarity 0.9" in body
        assert "threshold 0.95" in body
        with page.expect_download() as download:
            page.get_by_role("link", name="faceset_001.fsz").click()
        assert Path(download.value.path()).read_bytes()[:2] == b"PK"
        page.get_by_role("link", name=f"report of {BUCKET}").click()
        page.get_by_role("link", name="photos and people of this bucket").click()
        assert page.locator("h1").inner_text() == BUCKET
        page.goto(f"{address}/files/reports/index.html")
        assert page.evaluate(BROKEN_PICTURES) == {"count": 1, "broken": []}
    page.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_site_shows_none_of_them(
    home: FakeHome, chromium: "Browser", tmp_path: Path, host: str
) -> None:
    page = chromium.new_page()
    with served_files(home.settings) as address, other_site(tmp_path) as port:
        pictures = [
            f"{address}/files/library/faceset_001/faces/0001.png",
            f"{address}/files/buckets/{KEY}/{next((home.buckets / BUCKET).glob('*.png')).name}?small",
        ]
        (tmp_path / "hostile.html").write_text("".join(f'<img src="{picture}">' for picture in pictures))
        page.goto(f"http://{host}:{port}/hostile.html")
        assert page.evaluate(BROKEN_PICTURES) == {"count": 2, "broken": pictures}
        page.goto(f"{address}/files/library/")
        assert page.evaluate(BROKEN_PICTURES)["broken"] == []
    page.close()


@pytest.mark.timeout(300)
def test_a_page_in_a_bucket_runs_nothing_and_reaches_nothing(home: FakeHome, chromium: "Browser") -> None:
    page, asked = chromium.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    with served_files(home.settings) as address:
        page.goto(f"{address}/files/buckets/{KEY}/page.html")
        assert page.title() == "still"
        assert len(page.evaluate(BROKEN_PICTURES)["broken"]) == 1, "its pictures come from an origin of its own"
        page.goto(f"{address}/files/buckets/{KEY}/drawing.svg")
        assert page.evaluate("document.querySelector('title').textContent") == "still"
    assert [url for url in asked if "graphql" in url] == []
    page.close()

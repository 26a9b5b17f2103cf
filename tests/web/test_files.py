"""What the links in the metadata lead to: served as it lies there, nothing outside of it, nothing that runs."""

import asyncio
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from facesets_dagster.reports.links import Link
from facesets_dagster.settings import Settings, load_settings
from facesets_dagster.web.files import FilesBesideTheUi


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings({"FACESETS_HOME": str(tmp_path / "home")}, tmp_path)
    for path, text in {
        "reports/a %26 b/run.html": "<p>report</p>",
        "facesets_swap_ready/faceset_001/faces/0001.png": "picture",
        "facesets_swap_ready/.staging/x": "hidden",
        "buckets/a & b/photo #1?.jpg": "photo",
        "home.json": "secret",
    }.items():
        file = settings.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (settings.home / "buckets" / "a & b" / "out.jpg").symlink_to(settings.home / "home.json")
    return settings


def get(settings: Settings, path: str, method: str = "GET", known: str = "") -> tuple[int, str, dict[str, str]]:
    sent: list[MutableMapping[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})

    async def receive() -> dict[str, Any]:
        return await asyncio.get_running_loop().create_future()  # a client that has said all and stays

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    headers = [(b"host", b"127.0.0.1"), (b"if-none-match", known.encode())]
    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(),
        "query_string": query.encode(), "headers": headers, "server": ("127.0.0.1", 3000), "scheme": "http",
    }  # fmt: skip
    asyncio.run(FilesBesideTheUi(app, settings)(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:]).decode("utf-8", "replace")
    return sent[0]["status"], body, headers


def test_reports_facesets_and_photos_are_served_and_can_run_nothing(settings: Settings) -> None:
    for path, text in {
        "/files/reports/a%20%2526%20b/run.html": "report",
        "/files/library/faceset_001/faces/0001.png": "picture",
        "/files/buckets/a%20%2526%20b/photo%20%231%3F.jpg": "photo",
    }.items():
        status, body, headers = get(settings, path)
        assert (status, text in body) == (200, True), path
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script" not in headers["content-security-policy"]
        is_page = path.startswith("/files/reports/")
        assert headers["content-security-policy"].startswith("sandbox") == (not is_page), path


def test_what_a_bucket_holds_is_in_a_sandbox_even_if_it_looks_like_a_page(settings: Settings) -> None:
    page = settings.home / "buckets" / "a & b" / "index.html"
    page.write_text("<script>alert(1)</script>")
    for path in ("/files/buckets/a%20%2526%20b/index.html", "/files/library/../buckets/a%20%2526%20b/"):
        headers = get(settings, path)[2]
        assert headers["content-security-policy"].startswith("sandbox"), path
    status, body, headers = get(settings, "/files/buckets/a%20%2526%20b/")
    assert (status, "alert" in body) == (200, False)
    assert "sandbox" not in headers["content-security-policy"]


def test_a_page_on_disk_is_served_with_the_addresses_of_the_server(settings: Settings) -> None:
    report = settings.reports_dir / "a %26 b" / "run.html"
    link = Link("../../elsewhere/a%20b.jpg", "/files/buckets/a/a%20b.jpg")
    report.write_text(f'<a href="{link.on_disk}" data-served="{link.served}">')
    assert get(settings, "/files/reports/a%20%2526%20b/run.html")[1] == '<a href="/files/buckets/a/a%20b.jpg">'
    (settings.reports_dir / "index.html").write_text("<h1>all</h1>")
    assert get(settings, "/files/reports/")[1] == "<h1>all</h1>"


def test_a_name_that_is_no_text_is_served(settings: Settings) -> None:
    photo = settings.home / "buckets" / "a & b" / os.fsdecode(b"caf\xe9.txt")
    photo.write_text("found")
    assert "found" in get(settings, "/files/buckets/a%20%2526%20b/caf%E9.txt")[1]
    assert 'href="caf%E9.txt"' in get(settings, "/files/buckets/a%20%2526%20b/")[1]


def test_a_small_picture_is_known_again_and_damage_is_drawn(settings: Settings) -> None:
    bucket = settings.home / "buckets" / "a & b"
    Image.new("RGB", (1000, 500), "red").save(bucket / "large.png")
    address = "/files/buckets/a%20%2526%20b/large.png"
    status, body, headers = get(settings, f"{address}?small")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert len(body) < 5000
    assert get(settings, f"{address}?small", known=headers["etag"])[0] == 304
    assert get(settings, address)[2]["content-type"] == "image/png"
    status, body, headers = get(settings, "/files/buckets/a%20%2526%20b/photo%20%231%3F.jpg?small")
    assert (status, headers["content-type"], "not an image" in body) == (200, "image/svg+xml", True)


def test_a_folder_is_a_page_with_its_pictures(settings: Settings) -> None:
    status, body, _ = get(settings, "/files/buckets/a%20%2526%20b/")
    assert status == 200
    assert '<a href="photo%20%231%3F.jpg"><img src="photo%20%231%3F.jpg?small"' in body
    assert get(settings, "/files/library/faceset_001")[2]["location"] == "/files/library/faceset_001/"


@pytest.mark.parametrize(
    "path",
    [
        "/files/",
        "/files/buckets/",
        "/files/buckets/nobody/",
        "/files/home/home.json",
        "/files/reports/../home.json",
        "/files/reports/%2e%2e/home.json",
        "/files/reports/..%2fhome.json",
        "/files/buckets/..%2f..%2f/home.json",
        "/files/library/.staging/x",
        "/files/buckets/a%20%2526%20b/out.jpg",
        "/files/reports/%00",
    ],
)
def test_what_lies_elsewhere_is_not_there(settings: Settings, path: str) -> None:
    assert get(settings, path)[0] == 404


def test_nothing_is_written_and_the_ui_answers_the_rest(settings: Settings) -> None:
    assert get(settings, "/files/library/", "POST")[0] == 405
    assert get(settings, "/graphql")[0] == 299

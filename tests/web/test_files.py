"""What the links in the metadata lead to: served as it lies there, nothing outside of it, nothing that runs."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

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
        "registry.db": "secret",
    }.items():
        file = settings.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (settings.home / "buckets" / "a & b" / "out.jpg").symlink_to(settings.home / "registry.db")
    return settings


def get(settings: Settings, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    sent: list[MutableMapping[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})

    async def receive() -> dict[str, Any]:
        return await asyncio.get_running_loop().create_future()  # a client that has said all and stays

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    from urllib.parse import unquote

    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")], "server": ("127.0.0.1", 3000), "scheme": "http",
    }  # fmt: skip
    asyncio.run(FilesBesideTheUi(app, settings)(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:]).decode()
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


def test_a_folder_is_a_page_with_its_pictures(settings: Settings) -> None:
    status, body, _ = get(settings, "/files/buckets/a%20%2526%20b/")
    assert status == 200
    assert '<img src="photo%20%231%3F.jpg"' in body
    assert get(settings, "/files/library/faceset_001")[2]["location"] == "/files/library/faceset_001/"


@pytest.mark.parametrize(
    "path",
    [
        "/files/",
        "/files/buckets/",
        "/files/buckets/nobody/",
        "/files/home/registry.db",
        "/files/reports/../registry.db",
        "/files/reports/%2e%2e/registry.db",
        "/files/reports/..%2fregistry.db",
        "/files/buckets/..%2f..%2f/registry.db",
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

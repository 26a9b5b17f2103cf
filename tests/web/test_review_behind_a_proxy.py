"""The documented proxy with a password, run: nginx names the visitor, and nobody else can."""

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from facesets_dagster.registry.rulings import all_rulings
from testing.fake_home import FakeHome, fake_home_in
from testing.http import HttpAnswer, ask_http
from testing.paths import REPOSITORY
from testing.rulings import three_people
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(NGINX is None, reason="no nginx on this system (Debian: apt install nginx-light)"),
]
PASSWORD = "correct horse"
ANNA = {"Authorization": "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode()}
STATEMENT = {"ruling_id": "01K00000000000000000000001", "kind": "approve", "person": "faceset_001"}


@dataclass(frozen=True)
class Proxied:
    """The proxy, and the server behind it."""

    home: FakeHome
    address: str
    behind: str

    def names(self) -> list[str]:
        """Who is on record for each ruling."""
        return [one.made_by for one in all_rulings(self.home.library.registry)]


async def _greet(socket: WebSocket) -> None:
    """A websocket of Dagster's pages, as far as a proxy sees it."""
    await socket.accept(subprotocol=socket.scope["subprotocols"][0])
    await socket.send_text(f"heard {await socket.receive_text()}")
    await socket.close()


def documented() -> tuple[str, dict[str, str]]:
    """The server of the page, and the settings that stand beside it."""
    page = (REPOSITORY / "docs" / "review.md").read_text()
    blocks = re.findall(r"^```(?:nginx)?\n(.*?)^```", page.partition("### Behind a proxy")[2], re.M | re.S)
    server, settings = blocks[0], dict(line.split("=") for line in blocks[1].split())
    assert "auth_basic_user_file" in server
    return server, settings


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Proxied]:
    server, named = documented()
    with fake_home_in(tmp_path / "home") as home:
        three_people(home)
        home.settings = home.settings.model_copy(
            update={
                "web_hosts": (named["FACESETS_WEB_HOSTS"],),
                "review_user_header": named["FACESETS_REVIEW_USER_HEADER"],
                "trusted_proxies": (named["FACESETS_TRUSTED_PROXIES"],),
            }
        )
        ui = Starlette(routes=[Route("/", lambda _: PlainTextResponse("the UI")), WebSocketRoute("/graphql", _greet)])
        with served_review(home.settings, ui=ui) as behind, run_nginx(server, behind, tmp_path) as address:
            yield Proxied(home, address, behind)


def run_nginx(server: str, behind: str, folder: Path) -> "_Nginx":
    """nginx with this server, but for TLS, ports and paths."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    salt = b"salt"
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode() + salt).digest() + salt).decode()
    (folder / "facesets.htpasswd").write_text(f"anna:{{SSHA}}{digest}\n")
    server = re.sub(r"\n *ssl_\w+ .*;", "", server).replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    server = server.replace("http://127.0.0.1:3000", behind).replace("/etc/nginx/", f"{folder}/")
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/errors;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{server}}}\n"
    )
    return _Nginx(folder, port)


class _Nginx:
    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port

    def __enter__(self) -> str:
        command = [str(NGINX), "-c", str(self._folder / "nginx.conf"), "-e", str(self._folder / "errors")]
        self._child = subprocess.Popen(command)
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return f"http://127.0.0.1:{self._port}"
            assert self._child.poll() is None, (self._folder / "errors").read_text()
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait(30)


def decide(address: str, host: str, **headers: str) -> HttpAnswer:
    own = {"Content-Type": "application/json", "X-Facesets-Review": "1", "Origin": f"http://{host}", "Host": host}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"rulings": [STATEMENT], "seen": {}}).encode()
    return ask_http(address, "/review/api/rulings", method="POST", headers={**own, **named}, body=body)


def test_only_a_password_opens_the_door_and_the_name_is_that_of_the_password(proxied: Proxied) -> None:
    for path in ("/", "/review/people", "/review/api/people", "/files/reports/index.html", "/graphql"):
        assert ask_http(proxied.address, path).status == 401, path
    assert ask_http(proxied.address, "/review/people", headers=ANNA).status == 200
    assert decide(proxied.address, "photos.example").status == 401
    assert decide(proxied.address, "evil.example", **ANNA).status == 403
    assert proxied.names() == []
    answer = decide(proxied.address, "photos.example", X_Forwarded_User="mallory", **ANNA)
    assert (answer.status, proxied.names()) == (201, ["anna"])


def test_past_the_proxy_nobody_without_a_name_decides(proxied: Proxied) -> None:
    assert ask_http(proxied.behind, "/review/people").status == 200
    answer = decide(proxied.behind, "localhost")
    assert (answer.status, answer.json["error"]) == (403, "ReadOnly")
    assert proxied.names() == []


def test_a_browser_decides_hears_and_follows_runs_through_the_proxy(proxied: Proxied, chromium: "Browser") -> None:
    context = chromium.new_context(http_credentials={"username": "anna", "password": PASSWORD}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{proxied.address}/")
    heard = page.evaluate(
        """() => new Promise((resolve, reject) => {
            const socket = new WebSocket(`ws://${location.host}/graphql`, 'graphql-ws');
            socket.onopen = () => socket.send('anna');
            socket.onmessage = (event) => resolve(`${socket.protocol}: ${event.data}`);
            socket.onerror = () => reject(new Error('refused'));
        })"""
    )
    assert heard == "graphql-ws: heard anna"
    page.goto(f"{proxied.address}/review/people")
    page.locator(".tile").nth(0).focus()
    other = context.new_page()
    other.goto(f"{proxied.address}/review/people")
    other.locator(".tile").nth(0).wait_for()
    page.keyboard.press("a")
    page.locator("#said", has_text="is right as it stands").wait_for()
    assert proxied.names() == ["anna"]
    other.locator("#ribbon", has_text="1 ruling is not published.").wait_for()
    context.close()

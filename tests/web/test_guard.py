"""The guard's rules, one request at a time, and the refusal of an open address."""

import asyncio
import subprocess
import sys
from collections.abc import MutableMapping
from typing import Any

import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.web import dev, webserver
from facesets_dagster.web.address import require_address
from facesets_dagster.web.guard import LOOPBACK, RequestGuard, reason_to_refuse
from testing.paths import REPOSITORY


def scope(method: str = "POST", path: str = "/graphql", query: str = "", **headers: str) -> dict[str, Any]:
    headers = {"host": "127.0.0.1:3000", **headers}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items() if value],
    }


@pytest.mark.parametrize(
    "request_scope",
    [
        scope(),
        scope("GET", "/"),
        scope("GET", "/", host="localhost:3000"),
        scope("GET", "/", host="[::1]:3000"),
        scope(origin="http://127.0.0.1:3000", sec_fetch_site="same-origin", sec_fetch_mode="cors"),
        scope("GET", "/assets", sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
        scope("GET", "/", host="[0:0::1]:3000"),
        scope("GET", "/", host="LOCALHOST"),
        scope("GET", "/", sec_fetch_site="same-site", sec_fetch_mode="navigate", sec_fetch_dest="document"),
        scope("GET", "/", sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document"),
        scope("GET", query="query=%7Bversion%7D"),
        scope("GET", query="query=query+Q+%7Bversion%7D"),
        scope("GET", "/graphql"),
    ],
)
def test_the_ui_and_programs_pass(request_scope: dict[str, Any]) -> None:
    assert reason_to_refuse(request_scope, LOOPBACK) is None


@pytest.mark.parametrize(
    ("request_scope", "status"),
    [
        (scope(host=""), 400),
        (scope(host="evil.example"), 403),
        (scope(host="127.0.0.1.evil.example:3000"), 403),
        (scope(host="["), 403),
        (scope(host="a@127.0.0.1:3000"), 403),
        (scope(host="evil.example@127.0.0.1"), 403),
        (scope(host="evil.example:80@localhost:3000"), 403),
        (scope(host="localhost."), 403),
        (scope(host="127.0.0.1:3000/evil.example"), 403),
        (scope(host="127.0.0.1\\evil.example"), 403),
        (scope(host="127.0.0.1#evil.example"), 403),
        (scope(host="127.0.0.1:evil"), 403),
        (scope(host="127.0.0.1:"), 403),
        (scope(host="127.0.0.1:99999"), 403),
        (scope(host="127.0.0.1 "), 403),
        (scope(host="127.1"), 403),
        (scope(host="0x7f000001"), 403),
        (scope(host="2130706433"), 403),
        (scope(host="[::1%25eth0]:3000"), 403),
        (scope(host="[::ffff:127.0.0.1]"), 403),
        (scope(host="[::1]evil.example"), 403),
        (scope(host="::1"), 403),
        (scope(host="\u00e4.example"), 403),
        (scope(origin="http://a@127.0.0.1:3000"), 403),
        (scope(origin="http://127.0.0.1:3000/x"), 403),
        (scope(origin="ftp://127.0.0.1:3000"), 403),
        (scope(sec_fetch_site="cross-site"), 403),
        (scope(sec_fetch_site="cross-site", sec_fetch_mode="navigate"), 403),
        (scope(sec_fetch_site="same-site", sec_fetch_mode="cors"), 403),
        (scope("GET", "/", sec_fetch_site="same-site", sec_fetch_mode="no-cors"), 403),
        (scope("GET", "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe"), 403),
        (scope("GET", "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="object"), 403),
        (scope(origin="https://evil.example"), 403),
        (scope(origin="http://127.0.0.1:4000"), 403),
        (scope(origin="null"), 403),
        (scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"), 403),
        (scope("GET", "/graphql", sec_fetch_site="cross-site", sec_fetch_mode="no-cors"), 403),
        (scope("GET", query="query=mutation%7BsetNuxSeen%7D"), 405),
        (scope("GET", "/prefix/graphql/", query="query=%7Ba%7D+mutation+M%7BsetNuxSeen%7D"), 405),
        (scope("GET", query="query=subscription%7Ba%7D"), 405),
        (scope("GET", query="query=%7B"), 400),
    ],
)
def test_others_are_refused(request_scope: dict[str, Any], status: int) -> None:
    refusal = reason_to_refuse(request_scope, LOOPBACK)
    assert refusal is not None
    assert refusal[0] == status


def test_a_name_that_was_allowed_passes() -> None:
    passed: list[str] = []

    async def app(*_: object) -> None:
        passed.append("yes")

    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {}

    guard = RequestGuard(app, ["Photos.Home"])
    asyncio.run(guard(scope(host="photos.home:3000", origin="http://photos.home:3000"), receive, send))
    assert (passed, sent) == (["yes"], [])
    asyncio.run(guard(scope(host="other.home"), receive, send))
    assert (passed, sent[0]["status"]) == (["yes"], 403)
    assert b"FACESETS_WEB_HOSTS" in sent[1]["body"]
    asyncio.run(guard({**scope(origin="http://evil.example"), "type": "websocket"}, receive, send))
    assert sent[-1]["type"] == "websocket.close"
    asyncio.run(guard({"type": "lifespan"}, receive, send))
    assert passed == ["yes", "yes"]


def test_another_address_needs_a_word() -> None:
    assert webserver.address_of(["-p", "3000"]) == "127.0.0.1"
    assert webserver.address_of(["-h", "::1"]) == "::1"
    assert webserver.address_of(["--host=192.168.1.5"]) == "192.168.1.5"
    require_address("127.0.0.1", ())
    require_address("localhost", ())
    require_address("0.0.0.0", ("photos.home",))
    for address in ("0.0.0.0", "192.168.1.5"):
        with pytest.raises(SettingsError, match="It has no passwords"):
            require_address(address, ())


@pytest.mark.parametrize("module", [webserver.__name__, dev.__name__])
def test_the_commands_refuse_an_open_address(module: str) -> None:
    command = [sys.executable, "-m", module, "-h", "0.0.0.0"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The web server may not listen on 0.0.0.0 yet.")


def test_no_answer_may_be_shown_in_a_frame_whatever_its_own_policy() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def app(_: object, __: object, send: Any) -> None:
        own = [(b"content-security-policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": own})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    guard = RequestGuard(app)
    asyncio.run(guard(scope("GET", "/"), lambda: None, send))  # type: ignore[arg-type, return-value]
    asyncio.run(guard(scope(host="evil.example"), lambda: None, send))  # type: ignore[arg-type, return-value]
    policies = [value for name, value in sent[0]["headers"] if name == b"content-security-policy"]
    assert policies == [b"default-src 'self'", b"frame-ancestors 'none'"]
    assert [dict(message["headers"])[b"x-frame-options"] for message in sent[:2]] == [b"DENY", b"DENY"]

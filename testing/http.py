"""Requests to a server of a test, with what it answered whatever the status."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class HttpAnswer:
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask_http(
    address: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> HttpAnswer:
    """One request on a connection of its own; redirects are not followed. `Host` among the headers is sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def post_to_review(address: str, path: str, body: Any, **headers: str) -> HttpAnswer:
    """A decision as the review page sends it; `headers` in the place of its own, empty ones left out."""
    own = {"Content-Type": "application/json", "X-Facesets-Review": "1", "Origin": address}
    own.update({name.replace("_", "-"): value for name, value in headers.items()})
    sent = {name: value for name, value in own.items() if value}
    return ask_http(address, f"/review/api/{path}", method="POST", headers=sent, body=json.dumps(body).encode())

"""Which requests reach the web server: an ASGI middleware in front of Dagster's.

Dagster's server has no passwords, takes mutations over GET and answers any Host and Origin, so that any web page that
the user visits could start runs on 127.0.0.1 (by a form, an image, or a name that resolves to 127.0.0.1). The guard
refuses, with the reason as text:

- 400: no Host header or several, or a GraphQL document in the address that cannot be read
- 403: a Host that is not one of ours, or that is anything but a name and a port (DNS rebinding), an Origin other than
  the server itself, a request that the browser marks as coming from another site or another port of this machine
  (Fetch Metadata), unless it is a followed link: a GET for a page of its own
- 405: anything but a GraphQL query over GET

Clients without a browser send no Origin and no marks and pass. No answer may be shown in a frame, Dagster's own pages
included: a foreign page could lay it under the visitor's clicks and keys; nor may a foreign page load it. Knows nothing
of Dagster.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import parse_qs

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from facesets_dagster.web.address import LOOPBACK

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


_NO_FRAMES = [(b"content-security-policy", b"frame-ancestors 'none'"), (b"x-frame-options", b"DENY")]
"""Beside the policy that an answer has of its own: browsers obey both."""
_UNLESS_THERE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (b"x-permitted-cross-domain-policies", b"none"),
]
"""For answers that have no such header of their own."""
_TELLS_OTHERS = (b"referrer-policy", b"strict-origin-when-cross-origin")
"""Of Dagster's pages: other sites would learn the name of this server."""
_HOST = re.compile(r"(?P<name>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
"""What browsers send: neither a user, a path, a zone nor a blank."""
_NO_PAGES = frozenset({"iframe", "frame", "embed", "object"})
"""`Sec-Fetch-Dest` of navigations whose page another one shows."""


class RequestGuard:
    """Passes to `app` what `reason_to_refuse` has nothing against."""

    def __init__(self, app: App, hosts: Iterable[str] = ()) -> None:
        """`hosts`: names and addresses beside the loopback ones by which the server may be reached."""
        self._app = app
        bracketed = (f"[{host}]" if ":" in host and not host.startswith("[") else host for host in hosts)
        self._hosts = LOOPBACK | {name_of(host) or host.lower() for host in bracketed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        refusal = reason_to_refuse(scope, self._hosts) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1][:120]})
        else:
            status, reason = refusal
            headers = [(b"content-type", b"text/plain; charset=utf-8"), *_NO_FRAMES, *_UNLESS_THERE]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": f"Refused: {reason}\n".encode()})


def _with_headers(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = [header for header in message.get("headers", ()) if header != _TELLS_OTHERS]
            there = {bytes(name).lower() for name, _ in own}
            more = [(name, value) for name, value in _UNLESS_THERE if name not in there]
            message = {**message, "headers": [*own, *_NO_FRAMES, *more]}
        await send(message)

    return sent


def reason_to_refuse(scope: Scope, hosts: Iterable[str]) -> tuple[int, str] | None:
    """Status and reason; None if the request may pass."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    headers = dict(pairs)
    host = headers.get("host", "")
    if not host:
        return 400, "the request has no Host header."
    if len([name for name, _ in pairs if name == "host"]) > 1:
        return 400, "the request has several Host headers."
    if name_of(host) not in hosts:
        return 403, f"the Host {host!r} is not this server. FACESETS_WEB_HOSTS lists further names."
    for origin in (value for name, value in pairs if name == "origin"):
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return 403, f"a page of {origin!r} may not talk to this server."
    if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_followed_link(scope, headers):
        return 403, "a page of another site may not talk to this server."
    if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
        return _refused_document(scope)
    return None


def _is_followed_link(scope: Scope, headers: Mapping[str, str]) -> bool:
    """A page that the visitor goes to, in a tab of its own."""
    is_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") not in _NO_PAGES
    return is_page and scope["type"] == "http" and scope["method"] in ("GET", "HEAD")


def name_of(host: str) -> str:
    """The name or address in a Host header, as `hosts` spells it; "" if it is not one with a port at most."""
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 80) > 65_535:
        return ""
    name = found["name"].lower()
    if not name.startswith("["):
        return name
    try:
        return str(IPv6Address(name[1:-1]))
    except ValueError:
        return ""


def _refused_document(scope: Scope) -> tuple[int, str] | None:
    if not str(scope["path"]).rstrip("/").endswith("/graphql"):
        return None
    for document in parse_qs(scope.get("query_string", b"").decode("latin-1")).get("query", []):
        try:
            definitions = parse(document).definitions
        except GraphQLError as error:
            return 400, f"the GraphQL document cannot be read: {error.message}"
        operations = [node.operation for node in definitions if isinstance(node, OperationDefinitionNode)]
        if any(operation is not OperationType.QUERY for operation in operations):
            return 405, "only queries may come by GET; send mutations by POST."
    return None

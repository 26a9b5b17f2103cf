"""Which requests reach the web server: an ASGI middleware in front of Dagster's.

Dagster's server has no passwords, takes mutations over GET and answers any Host and Origin, so that any web page that
the user visits could start runs on 127.0.0.1 (by a form, an image, or a name that resolves to 127.0.0.1). The guard
refuses, with the reason as text:

- 400: no Host header, or a GraphQL document in the address that cannot be read
- 403: a Host that is not one of ours (DNS rebinding), an Origin other than the server itself, a request that the
  browser marks as coming from another site (Fetch Metadata), unless it is a followed link
- 405: anything but a GraphQL query over GET

Clients without a browser send no Origin and pass. No answer may be shown in a frame, Dagster's own pages included: a
foreign page could lay it under the visitor's clicks and keys. Knows nothing of Dagster.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from facesets_dagster.web.address import LOOPBACK

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


_NO_FRAMES = [(b"content-security-policy", b"frame-ancestors 'none'"), (b"x-frame-options", b"DENY")]
"""Beside the policy that an answer has of its own: browsers obey both."""


class RequestGuard:
    """Passes to `app` what `reason_to_refuse` has nothing against."""

    def __init__(self, app: App, hosts: Iterable[str] = ()) -> None:
        """`hosts`: names and addresses beside the loopback ones by which the server may be reached."""
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        refusal = reason_to_refuse(scope, self._hosts) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1][:120]})
        else:
            status, reason = refusal
            headers = [(b"content-type", b"text/plain; charset=utf-8"), *_NO_FRAMES]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": f"Refused: {reason}\n".encode()})


def _unframed(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_NO_FRAMES]}
        await send(message)

    return sent


def reason_to_refuse(scope: Scope, hosts: Iterable[str]) -> tuple[int, str] | None:
    """Status and reason; None if the request may pass."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "")
    if not host:
        return 400, "the request has no Host header."
    if _name_of(f"//{host}") not in hosts:
        return 403, f"the Host {host!r} is not this server. FACESETS_WEB_HOSTS lists further names."
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return 403, f"a page of {origin!r} may not talk to this server."
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return 403, "a page of another site may not talk to this server."
    if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
        return _refused_document(scope)
    return None


def _name_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
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

"""Reports, face sets and photos beside the UI, read-only: what the links in the metadata of assets lead to.

    /files/reports/...      the reports' folder
    /files/library/...      the library
    /files/buckets/<key>/   the photos of a bucket

Behind the same guard as the UI. Nothing that is served may run a script or load anything from elsewhere
(Content-Security-Policy): a bucket may hold any file. Links that lead out of a folder are not followed.
"""

import mimetypes
import os
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.roots import bucket_folder
from facesets_dagster.reports.markdown import FILES
from facesets_dagster.settings import Settings
from facesets_dagster.web.guard import App, Receive, Scope, Send

PREFIX = f"{FILES}/"
MAX_LISTED = 1000
_HEADERS = {
    "Content-Security-Policy": "sandbox allow-popups allow-top-navigation; default-src 'none'; "
    "img-src 'self' data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
_SHOWN = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".bmp"})
"""Formats that browsers draw."""
_STYLE = (
    ":root{color-scheme:light dark}body{font:15px system-ui,sans-serif;max-width:70rem;margin:auto;padding:1rem}"
    "div{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:.6rem}"
    "img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:4px;display:block}a{overflow-wrap:anywhere}"
)


class FilesBesideTheUi:
    """Answers what lies below `/files/`, passes everything else to `app`."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._roots: Mapping[str, Callable[[list[str]], tuple[Path, list[str]]]] = {
            "reports": lambda parts: (settings.reports_dir, parts),
            "library": lambda parts: (settings.library_dir, parts),
            "buckets": lambda parts: (bucket_folder(parts[0], settings.bucket_roots), parts[1:]),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or not str(scope["path"]).startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = self._answer(request)
        answer.headers.update(_HEADERS)
        await answer(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Only GET.\n", 405)
        raw = request.scope.get("raw_path") or quote(request.url.path).encode()
        inside = raw.decode("ascii", "replace").split(PREFIX, 1)[-1].split("?")[0]
        parts = [unquote(part) for part in inside.split("/") if part]
        path = self._path(parts)
        if path is None or not path.exists():
            return PlainTextResponse(f"There is no {'/'.join(parts)!r} here.\n", 404)
        if path.is_dir():
            if not request.url.path.endswith("/"):
                return RedirectResponse(f"{PREFIX}{'/'.join(quote(part, safe='') for part in parts)}/")
            return HTMLResponse(_listing("/".join(parts), path))
        return FileResponse(path, media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream")

    def _path(self, parts: list[str]) -> Path | None:
        if not parts or parts[0] not in self._roots or (parts[0] == "buckets" and len(parts) < 2):
            return None
        if any(part in (".", "..") or part.startswith(".") or "/" in part or "\0" in part for part in parts):
            return None
        try:
            root, below = self._roots[parts[0]](parts[1:])
        except BucketError:
            return None
        path = root.joinpath(*below)
        return path if path.resolve().is_relative_to(root.resolve()) else None


def _listing(title: str, folder: Path) -> str:
    with os.scandir(folder) as entries:
        found = sorted((not entry.is_dir(), entry.name) for entry in entries if not entry.name.startswith("."))
    rows = []
    for is_file, name in found[:MAX_LISTED]:
        address = quote(os.fsencode(name), safe="") + ("" if is_file else "/")
        shown = is_file and Path(name).suffix.lower() in _SHOWN
        text = escape(name.encode("utf-8", "replace").decode())
        picture = f'<img src="{address}" alt="" loading="lazy">' if shown else ""
        rows.append(f'<a href="{address}">{picture}{text}{"" if is_file else "/"}</a>')
    more = f"<p>{len(found) - MAX_LISTED} more files are not listed.</p>" if len(found) > MAX_LISTED else ""
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f"{head}<h1>{escape(title)}</h1><div>{''.join(rows)}</div>{more}"

"""Reports, face sets and photos beside the UI, read-only: what the links in the metadata of assets lead to.

    /files/reports/...      the reports' folder
    /files/library/...      the library; each library of the home also under the name of its folder
    /files/buckets/<key>/   the photos of a bucket

Behind the same guard as the UI. Nothing that is served may run a script or load anything from elsewhere
(Content-Security-Policy). Pages that the platform makes (`_PAGE`) may show pictures of this server, and so have its
origin; all other files (`_FILE`: a bucket may hold any) are in a sandbox: in an origin of their own, from which the
guard lets no request pass. Links that lead out of a folder are not followed.
"""

import mimetypes
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response

from facesets_dagster.errors import BucketError, FacesetsError
from facesets_dagster.library.home import Home
from facesets_dagster.reports.links import as_served
from facesets_dagster.reports.markdown import FILES
from facesets_dagster.settings import Settings, library_folder, library_names
from facesets_dagster.web.guard import App, Receive, Scope, Send
from facesets_dagster.web.pages import Pages
from facesets_dagster.web.pictures import Pictures

PREFIX = f"{FILES}/"
_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PAGE = {"Content-Security-Policy": _POLICY}
_FILE = {"Content-Security-Policy": f"sandbox allow-popups allow-top-navigation; {_POLICY}"}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class FilesBesideTheUi:
    """Answers what lies below `/files/`, passes everything else to `app`."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._pages, self._pictures = Pages(settings), Pictures(settings)
        self._roots: Mapping[str, Callable[[list[str]], tuple[Path, list[str]]]] = {
            "reports": lambda parts: (settings.reports_dir, parts),
            "library": lambda parts: (settings.library_dir, parts),
            "buckets": lambda parts: (Home.of(settings).bucket_folder(parts[0]), parts[1:]),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or not str(scope["path"]).startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        answer = await run_in_threadpool(self._answer, Request(scope, receive))
        for name, value in (_HEADERS | (_PAGE if isinstance(answer, HTMLResponse) else _FILE)).items():
            answer.headers[name] = value
        await answer(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        """An `HTMLResponse` is a page that the platform made, and nothing else."""
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Only GET.\n", 405)
        parts = _parts(request)
        root_and_path = self._path(parts)
        if root_and_path is None:
            return _absent(parts)
        root, path = root_and_path
        if path.is_dir():
            if not request.url.path.endswith("/"):
                return RedirectResponse(f"{PREFIX}{'/'.join(quote(os.fsencode(part), safe='') for part in parts)}/")
            return self._page(parts, root, path)
        if parts[0] == "reports" and path.suffix == ".html" and path.is_file():
            return HTMLResponse(self._as_served(path))
        if "small" in request.query_params or not path.exists():
            return self._pictures.answer(path, request.headers.get("if-none-match")) or _absent(parts)
        return FileResponse(path, media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream")

    def _as_served(self, page: Path) -> str:
        return as_served(page.read_text(encoding="utf-8"), review=self._settings.review != "off")

    def _page(self, parts: list[str], root: Path, path: Path) -> Response:
        index = path / "index.html"
        if parts[0] == "reports" and index.is_file():
            return HTMLResponse(self._as_served(index))
        try:
            return HTMLResponse(self._pages.of(parts, root, path))
        except FacesetsError as error:
            return PlainTextResponse(f"{error}\n", 500)

    def _path(self, parts: list[str]) -> tuple[Path, Path] | None:
        """The root and the file or folder in it; None for what may not be looked at."""
        if not parts or (parts[0] == "buckets" and len(parts) < 2):
            return None
        if any(part in (".", "..") or part.startswith(".") or "/" in part or "\0" in part for part in parts):
            return None
        if parts[0] in self._roots:
            try:
                root, below = self._roots[parts[0]](parts[1:])
            except BucketError:
                return None
        elif parts[0] in (libraries := _libraries(self._settings)):
            root, below = libraries[parts[0]], parts[1:]
        else:
            return None
        path = root.joinpath(*below)
        return (root, path) if path.resolve().is_relative_to(root.resolve()) else None


def _parts(request: Request) -> list[str]:
    """The parts of the address below `/files/`, as the file system spells them."""
    raw = request.scope.get("raw_path") or quote(request.url.path).encode()
    inside = raw.decode("ascii", "replace").split(PREFIX, 1)[-1].split("?")[0]
    return [os.fsdecode(unquote_to_bytes(part)) for part in inside.split("/") if part]


def _absent(parts: list[str]) -> Response:
    name = "/".join(parts).encode("utf-8", "replace").decode()
    return PlainTextResponse(f"There is no {name!r} here.\n", 404)


def _libraries(settings: Settings) -> dict[str, Path]:
    """Name of its folder -> library of the home."""
    folders = [library_folder(settings.home, name) for name in (None, *library_names(settings.home))]
    return {folder.name: folder for folder in folders}

"""The routes below `/review`: pages, and what their scripts ask for. Reading; `writing` adds what people decide."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from facesets_dagster.analysis.reviewed_faces import faces_of, order_of
from facesets_dagster.errors import FacesetsError, LibraryError, PhotoError
from facesets_dagster.web.review import pages
from facesets_dagster.web.review.access import Access, Visitor
from facesets_dagster.web.review.library_view import LibraryView, face_columns
from facesets_dagster.web.review.pictures import SIZES, FacePictures
from facesets_dagster.web.review.words import COOKIE, LANGUAGES, STATIC, language_for, words

PREFIX = "/review"
_SECONDS_A_BATCH = 0.4
_KEEP = {"Cache-Control": "private, max-age=86400"}
_ASK = {"Cache-Control": "private, no-cache"}
_ABSENT = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='128' height='128' role='img' aria-label='no picture'>"
    "<rect width='128' height='128' fill='#888'/><path d='M40 40 L88 88 M88 40 L40 88' stroke='#fff'/></svg>"
)

Page = Callable[[LibraryView, pages.Seen], str]
Answer = TypeVar("Answer")


class Review:
    """The review page of one home."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.view = LibraryView(access.settings)
        self.pictures = FacePictures(access.settings)

    def routes(self) -> list[BaseRoute]:
        """For reading."""
        shells = {
            "/": pages.people_page,
            "/people": pages.people_page,
            "/queue": pages.queue_page,
            "/log": pages.log_page,
            "/ignored": pages.ignored_page,
            "/help": pages.help_page,
        }
        return [
            *(Route(path, partial(self._page, page)) for path, page in shells.items()),
            Route("/people/{name}", self._person),
            Route("/api/people", self._people),
            Route("/api/named", self._named),
            Route("/api/people/{name}/faces", self._faces),
            Route("/api/thumbs", self._thumbs),
            Route("/api/thumb/{name}.webp", self._thumb),
            Route("/api/photo/{face}.webp", self._photo),
            Mount("/static", _OwnFiles(directory=STATIC)),
        ]

    async def at_once(self, call: Callable[..., Answer], *arguments: object) -> Answer:
        """What a call that writes gives, made in another thread while the registry's file stays open."""

        def made() -> Answer:
            with self.view.library.registry.kept_open():
                return call(*arguments)

        return await run_in_threadpool(made)

    def visitor(self, request: Request) -> Visitor:
        """Who asks."""
        peer = request.client.host if request.client else ""
        return self.access.visitor(request.headers, peer, (request.url.hostname or "").lower())

    def seen(self, request: Request) -> pages.Seen:
        """The request as the pages see it."""
        chosen = request.query_params.get("lang")
        language = language_for(chosen, request.cookies.get(COOKIE), request.headers.get("accept-language", ""))
        return pages.Seen(words(language), self.visitor(request), request.query_params)

    def _page(self, page: Page, request: Request) -> Response:
        seen = self.seen(request)
        answer = HTMLResponse(page(self.view, seen), headers=_ASK)
        if request.query_params.get("lang") in LANGUAGES:
            answer.set_cookie(COOKIE, seen.words.language, 31_536_000, path=PREFIX, samesite="strict", httponly=True)
        return answer

    def _person(self, request: Request) -> Response:
        name, now = request.path_params["name"], self.view.now()
        if name in now.leads:
            return RedirectResponse(f"{PREFIX}/people/{now.leads[name]}")
        return self._page(lambda view, seen: pages.person_page(view, seen, name), request)

    def _people(self, request: Request) -> Response:
        answer = self.view.people()
        headers = {**_ASK, "ETag": answer.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == answer.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(answer.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=_JSON)
        return Response(answer.plain, headers=headers, media_type=_JSON)

    def _named(self, request: Request) -> Response:
        """Of these names those who are in use, as they are called now: merged ones by whom they are part of."""
        now, asked = self.view.now(), request.query_params.get("names", "").split(",")
        ends = dict.fromkeys(now.leads.get(name, name) for name in asked)
        people = [{"name": name, "label": now.by_name[name].label} for name in ends if name in now.by_name]
        return JSONResponse({"people": people}, headers=_ASK)

    def _faces(self, request: Request) -> Response:
        now, by = self.view.now(), order_of(request.query_params.get("by"))
        person = now.person(request.path_params["name"])
        faces = faces_of(self.view.home, self.view.library, now, person, by)
        head = {"name": person.name, "label": person.label, "seen": person.seen, "state": now.state}
        return JSONResponse({**head, "by": by, **face_columns(faces)}, headers=_ASK)

    def _thumbs(self, request: Request) -> Response:
        names = [name for name in request.query_params.get("ids", "").split(",") if name]
        batch = self.pictures.batch(self.view.now(), self.view.library, names, _px(request), _SECONDS_A_BATCH)
        return Response(batch.packed(), media_type="application/octet-stream", headers=_ASK)

    def _thumb(self, request: Request) -> Response:
        name = request.path_params["name"]
        batch = self.pictures.batch(self.view.now(), self.view.library, [name], _px(request), _SECONDS_A_BATCH)
        return _picture(batch.found.get(name))

    def _photo(self, request: Request) -> Response:
        try:
            return _picture(self.pictures.photo(self.view.library, request.path_params["face"]))
        except PhotoError:
            return _picture(None)

    def failed(self, request: Request, error: Exception) -> Response:
        """What went wrong: JSON for scripts, a page for people."""
        status = 404 if isinstance(error, LibraryError) else 500
        if "/api/" in request.url.path:
            return JSONResponse({"error": type(error).__name__, "message": str(error)}, status)
        return HTMLResponse(pages.error_page(self.view, self.seen(request), str(error)), status)


def review_app(review: Review, more: Sequence[BaseRoute] = ()) -> Any:
    """The application below `/review`; `more`: routes beside those for reading."""
    routes = [*review.routes(), *more]
    return Starlette(routes=[Mount(PREFIX, routes=routes)], exception_handlers={FacesetsError: review.failed})


class _OwnFiles(StaticFiles):
    """Scripts, styles and words; a browser asks each time whether they are still the same."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """With the header that says so."""
        answer = super().file_response(*arguments, **options)
        answer.headers["Cache-Control"] = _ASK["Cache-Control"]
        return answer


_JSON = "application/json; charset=utf-8"


def _px(request: Request) -> int:
    text = request.query_params.get("px", "")
    return int(text) if text.isdecimal() and int(text) in SIZES else SIZES[0]


def _picture(webp: bytes | None) -> Response:
    if webp is None:
        return Response(_ABSENT, media_type="image/svg+xml", headers=_ASK)
    return Response(webp, media_type="image/webp", headers=_KEEP)

"""The review page beside the UI, imported when it is wanted first: the UI's first page does not wait for it."""

from collections.abc import Callable, MutableMapping
from typing import Any

from facesets_dagster.settings import Settings
from facesets_dagster.web.guard import App, Receive, Scope, Send


class ReviewLater:
    """Answers what lies below `/review`, passes everything else to `app`."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        is_local: bool,
        read_only: bool = False,
        cover_distance: Callable[[], float] | None = None,
        embedder: Callable[[], Any] | None = None,
    ) -> None:
        """`is_local`: the server listens on a loopback address; `read_only`: nobody may write; `cover_distance` and
        `embedder` (an `EmbedderResource`): in the place of those of the home's pack.
        """
        self._embedder = embedder or self._of_home
        self._app, self._settings = app, settings
        self._cover_distance = cover_distance
        self._is_local, self._read_only = is_local, read_only
        self._review: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or not (path == "/review" or path.startswith("/review/")):
            await self._app(scope, receive, send)
            return
        await self._page()(scope, receive, _with_headers(send))

    def _page(self) -> App:
        if self._review is None:
            from starlette.responses import PlainTextResponse

            from facesets_dagster.web.review.access import Access
            from facesets_dagster.web.review.app import Review, review_app
            from facesets_dagster.web.review.bulk import BulkRulings
            from facesets_dagster.web.review.events import Events
            from facesets_dagster.web.review.queue import Queue
            from facesets_dagster.web.review.threshold import Threshold
            from facesets_dagster.web.review.writing import Writing

            access = Access(self._settings, self._is_local, self._read_only)
            if access.is_off:
                self._review = PlainTextResponse("There is no review page here: FACESETS_REVIEW is off.\n", 404)
            else:
                review = Review(access)
                distance = self._cover_distance or self._of_pack
                writing = Writing(review, self._app, distance)
                queue = Queue(review, writing, distance)
                bulk = BulkRulings(review, writing, distance)
                parts = (writing, bulk, queue, Threshold(review, self._embedder), Events(review))
                self._review = review_app(review, [route for part in parts for route in part.routes()])
        return self._review

    def _of_home(self) -> Any:
        from facesets_dagster.resources.embedder import EmbedderResource

        return EmbedderResource.of(self._settings)

    def _of_pack(self) -> float:
        return float(self._embedder().thresholds().cover_distance)


def _with_headers(send: Send) -> Send:
    from facesets_dagster.web.review.headers import HEADERS

    own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await send(message)

    return sent

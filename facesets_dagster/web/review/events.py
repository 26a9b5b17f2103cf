"""Server-sent events: that somebody decided, undid or published, told to the other pages that are open.

A stream ends after a few seconds and the browser asks again: a server that is to stop would wait for it otherwise.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import BaseRoute, Route

from facesets_dagster.analysis.reviewed import state_of
from facesets_dagster.registry.rulings import all_rulings, unpublished_rulings
from facesets_dagster.web.review.app import Review
from facesets_dagster.web.review.ruling_texts import said_of

_LOOKS, _SECONDS = 10, 0.5
_RETRY_MS = 300


class Events:
    """The stream of one home."""

    def __init__(self, review: Review) -> None:
        self._review = review

    def routes(self) -> list[BaseRoute]:
        """One."""
        return [Route("/api/events", self._stream)]

    def _stream(self, request: Request) -> StreamingResponse:
        """`Last-Event-ID`, or `state` of the first request: what the page knows."""
        known = request.headers.get("last-event-id") or request.query_params.get("state", "")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._changes(known), media_type="text/event-stream", headers=headers)

    async def _changes(self, known: str) -> AsyncIterator[str]:
        yield f"retry: {_RETRY_MS}\n\n"
        for _ in range(_LOOKS):
            state = await run_in_threadpool(self._state)
            if state != known:
                known = state
                yield f"id: {state}\ndata: {await run_in_threadpool(self._told)}\n\n"
            await asyncio.sleep(_SECONDS)

    def _state(self) -> str:
        return state_of(self._review.view.library)

    def _told(self) -> str:
        """How many rulings wait, and what was decided or undone last, by whom."""
        registry = self._review.view.library.registry
        rulings = all_rulings(registry)
        last = max(rulings, key=lambda one: one.undone_at or one.made_at, default=None)
        told: dict[str, object] = {"waiting": len(unpublished_rulings(registry)), "by": None, "said": None}
        if last is not None:
            told |= {"by": last.undone_by or last.made_by, "said": asdict(said_of(last)), "state": last.state}
        return json.dumps(told)

"""The routes that decide: rulings written and taken back, previewed, published.

Only JSON with the page's own header, from the page itself: a form or a script of another page can send neither, and a
program without an Origin is refused too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from facesets_dagster.analysis.ruling_preview import preview
from facesets_dagster.analysis.similar_people import similar_people
from facesets_dagster.errors import FacesetsError, RulingRefused
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.audit import note_deed
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from facesets_dagster.registry.rulings import all_rulings, rulings_of, unpublished_rulings
from facesets_dagster.web.guard import App
from facesets_dagster.web.review.access import Visitor
from facesets_dagster.web.review.app import Review
from facesets_dagster.web.review.dagster_api import PublishingImpossible, start_publishing, status_of_run
from facesets_dagster.web.review.inputs import last_input, last_undone, made_again
from facesets_dagster.web.review.ruling_texts import said_of
from facesets_dagster.web.review.statements import Maker, Statements, Undo, changed_since

OWN_HEADER = "x-facesets-review"
_MOST_BYTES = 4_000_000
_SIMILAR = 60
_MOST_TOLD = 20
"""Rulings that an answer tells of; it counts all."""


class Writing:
    """What people decide in one home."""

    def __init__(self, review: Review, ui: App, cover_distance: Callable[[], float]) -> None:
        """`ui`: Dagster's application, which starts runs; `cover_distance`: of the home's pack."""
        self._review, self._ui, self._cover_distance = review, ui, cover_distance
        self.on_undo: Callable[[], None] = lambda: None
        """Called after rulings were taken back."""

    def routes(self) -> list[BaseRoute]:
        """Beside those for reading."""
        return [
            Route("/api/similar/{name}", self._similar),
            Route("/api/last", self._last),
            Route("/api/preview", self._preview),
            Route("/api/runs/{run_id}", self._run),
            Route("/api/rulings", self._write, methods=["POST"]),
            Route("/api/undo", self._undo, methods=["POST"]),
            Route("/api/redo", self._redo, methods=["POST"]),
            Route("/api/publish", self._publish, methods=["POST"]),
        ]

    async def _write(self, request: Request) -> JSONResponse:
        visitor, refused = self.admitted(request)
        if refused is not None:
            return refused
        try:
            wanted = Statements.model_validate_json(await body_of(request))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return refusal(400, "BadRequest", f"`{where}`: {first['msg']}. Nothing was changed.")
        return await self._review.at_once(self._written, wanted, visitor)

    def _written(self, wanted: Statements, visitor: Visitor) -> JSONResponse:
        library, ids = self._review.view.library, [one.ruling_id for one in wanted.rulings]
        known = rulings_of(library.registry, ids)
        if len(known) == len(set(ids)):  # sent twice
            return self.recorded(200, list(known.values()))
        now = self._review.view.now()
        changed = changed_since(now, wanted.seen)
        if changed:
            message = "This has changed since you looked. Nothing was written; look again and decide again."
            return JSONResponse({"error": "Changed", "message": message, "changed": changed}, 412)
        try:
            author = Author(str(visitor.name), "ui")
            rulings = self.maker(author).of(wanted.rulings)
            written = enter(library, rulings)
        except RulingRefused as error:
            return self.contradiction(error)
        except FacesetsError as error:
            return refusal(409, type(error).__name__, str(error))
        labels = {one.text.strip().casefold(): one.person for one in wanted.rulings if one.kind == "name" and one.text}
        namesakes = [
            one.name for one in now.people if one.label and labels.get(one.label.casefold(), one.name) != one.name
        ]
        return self.recorded(201, list(written), namesakes)

    def maker(self, author: Author) -> Maker:
        """What makes rulings of statements."""
        return Maker(self._review.view.home, self._review.view.library, author, self._cover_distance)

    async def _undo(self, request: Request) -> JSONResponse:
        visitor, refused = self.admitted(request)
        if refused is not None:
            return refused
        try:
            wanted = Undo.model_validate_json(await body_of(request))
        except ValidationError:
            return refusal(400, "BadRequest", "Expected `ids`, a list of rulings. Nothing was changed.")
        return await self._review.at_once(self._undone, wanted.ids, visitor)

    def _undone(self, ids: list[str], visitor: Visitor) -> JSONResponse:
        library = self._review.view.library
        missing = set(ids) - rulings_of(library.registry, ids).keys()
        if missing:
            return refusal(404, "LibraryError", f"There is no ruling {min(missing)}. Nothing was changed.")
        try:
            changed = take_back(library, ids, Author(str(visitor.name), "ui"))
        except RulingRefused as error:
            return self.contradiction(error)
        self.on_undo()
        return self.recorded(200, list(rulings_of(library.registry, changed).values()))

    async def _redo(self, request: Request) -> JSONResponse:
        visitor, refused = self.admitted(request)
        if refused is not None:
            return refused
        try:
            wanted = Undo.model_validate_json(await body_of(request))
        except ValidationError:
            return refusal(400, "BadRequest", "Expected `ids`, a list of rulings. Nothing was changed.")
        return await self._review.at_once(self._redone, wanted.ids, str(visitor.name))

    def _redone(self, ids: list[str], who: str) -> JSONResponse:
        library = self._review.view.library
        undone = [one for one in last_undone(all_rulings(library.registry), who) if one.ruling_id in set(ids)]
        if not undone:
            return self.recorded(200, [])  # sent twice, or something was decided since
        try:
            return self.recorded(201, list(enter(library, made_again(undone, Author(who, "ui")))))
        except RulingRefused as error:
            return self.contradiction(error)

    async def _publish(self, request: Request) -> JSONResponse:
        visitor, refused = self.admitted(request)
        if refused is not None:
            return refused
        try:
            run_id = await start_publishing(self._ui, request.headers["host"])
        except PublishingImpossible as error:
            return refusal(503, "PublishingImpossible", str(error))
        home, who = self._review.view.library.folder.parent, str(visitor.name)
        await run_in_threadpool(note_deed, home, "publish", who=who, via="ui", run_id=run_id)
        return JSONResponse({"run_id": run_id, "page": f"/runs/{run_id}"}, 202)

    async def _run(self, request: Request) -> JSONResponse:
        run_id = request.path_params["run_id"]
        try:
            status = await status_of_run(self._ui, request.headers["host"], run_id)
        except PublishingImpossible as error:
            return refusal(503, "PublishingImpossible", str(error))
        if status is None:
            return refusal(404, "LibraryError", f"Dagster knows no run {run_id}.")
        return JSONResponse({"run_id": run_id, "status": status, "page": f"/runs/{run_id}"})

    def _preview(self, request: Request) -> JSONResponse:
        found = preview(self._review.view.library)
        people = [asdict(person) for person in found.people]
        return JSONResponse({"people": people, "to_run": found.titles(), "waiting": len(found.pending)})

    def _similar(self, request: Request) -> JSONResponse:
        view, faces = self._review.view, [one for one in request.query_params.get("faces", "").split(",") if one]
        now = view.now()
        name = now.person(request.path_params["name"]).name
        near = similar_people(view.home, view.library, now, name, faces, _SIMILAR)
        people = [
            {"name": one, "label": now.by_name[one].label, "faces": now.by_name[one].faces, "distance": distance,
             "seen": now.by_name[one].seen, "apart": (min(name, one), max(name, one)) in now.apart}
            for one, distance in near
        ]  # fmt: skip
        return JSONResponse({"people": people})

    def _last(self, request: Request) -> JSONResponse:
        """What `z` takes back and what `Shift z` makes again: the rulings of one input each."""
        name = self._review.visitor(request).name
        rulings = all_rulings(self._review.view.library.registry)
        mine, undone = last_input(rulings, name), last_undone(rulings, name)
        ids = {"undo": [one.ruling_id for one in mine], "redo": [one.ruling_id for one in undone]}
        return JSONResponse({"ruling": _summary(mine[-1]) if mine else None, **ids})

    def admitted(self, request: Request) -> tuple[Visitor, JSONResponse | None]:
        """Who decides, and why they may not; None if they may."""
        visitor = self._review.visitor(request)
        if visitor.why_not is not None:
            return visitor, refusal(403, "ReadOnly", visitor.why_not)
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return visitor, refusal(415, "BadRequest", "Only JSON is taken. Nothing was changed.")
        same = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        from_page = "origin" in request.headers or "sec-fetch-site" in request.headers
        if request.headers.get(OWN_HEADER) != "1" or not same or not from_page:
            why = "Only the review page itself may decide; programs use `facesets rule`. Nothing was changed."
            return visitor, refusal(403, "Foreign", why)
        return visitor, None

    def contradiction(self, error: RulingRefused) -> JSONResponse:
        """Which rulings speak against it."""
        body = {"error": "RulingRefused", "message": str(error), "rulings": self._chain(error.rulings)}
        return JSONResponse(body, 409)

    def _chain(self, ids: tuple[str, ...]) -> list[dict[str, object]]:
        found = rulings_of(self._review.view.library.registry, ids)
        return [_summary(found[one]) for one in ids if one in found]

    def recorded(
        self,
        status: int,
        rulings: Sequence[Ruling],
        namesakes: Sequence[str] = (),
        *,
        more: Mapping[str, object] | None = None,
    ) -> JSONResponse:
        """What is on record now. `more`: what else the answer says."""
        waiting = len(unpublished_rulings(self._review.view.library.registry))
        shown = [_summary(one) for one in rulings[:_MOST_TOLD]]
        body = {"rulings": shown, "count": len(rulings), "waiting": waiting, "namesakes": list(namesakes)}
        return JSONResponse({**body, **(more or {})}, status)


def _summary(ruling: Ruling) -> dict[str, object]:
    return {"ruling_id": ruling.ruling_id, "kind": ruling.kind, "said": asdict(said_of(ruling)), "state": ruling.state,
            "made_by": ruling.made_by, "made_at": ruling.made_at, "names": dict(ruling.names)}  # fmt: skip


def refusal(status: int, error: str, message: str) -> JSONResponse:
    """Why nothing was written."""
    return JSONResponse({"error": error, "message": message}, status)


async def body_of(request: Request) -> bytes:
    """The body; cut off where it is larger than anything that the page sends."""
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > _MOST_BYTES:
            return b""
    return bytes(found)

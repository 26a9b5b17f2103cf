"""The routes of the queue: the next cards, and answers to them, which become rulings."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.errors import FacesetsError, RulingRefused
from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.cards import ANSWERS, MOST_SHOWN, Card
from facesets_dagster.identities.told_answers import payload_of
from facesets_dagster.publishing.rulings.answers import rulings_of as made_of
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter
from facesets_dagster.registry.rulings import rulings_in_force, rulings_of
from facesets_dagster.web.review.app import Review
from facesets_dagster.web.review.inputs import ids_of_input
from facesets_dagster.web.review.sittings import Sittings
from facesets_dagster.web.review.statements import RulingId
from facesets_dagster.web.review.writing import Writing, body_of, refusal


class Answering(BaseModel):
    """An answer to a card."""

    model_config = ConfigDict(extra="forbid")

    answer_id: RulingId
    """Made by the page; the ids of its rulings follow from it, so that an answer sent twice is one."""
    card_id: Annotated[str, Field(max_length=4000)]
    word: Annotated[str, Field(max_length=40)]
    picked: Annotated[list[int], Field(max_length=200)] = []


class Queue:
    """The queue of one home."""

    def __init__(self, review: Review, writing: Writing, cover_distance: Callable[[], float]) -> None:
        self._review, self._writing, self._cover_distance = review, writing, cover_distance
        self._sittings = Sittings(review.access.settings, lambda: rulings_in_force(review.view.library.registry))
        writing.on_undo = self._sittings.begin_again

    def routes(self) -> list[BaseRoute]:
        """Beside those for reading and deciding."""
        return [
            Route("/api/queue", self._next),
            Route("/api/answers", self._answer, methods=["POST"]),
        ]

    def _next(self, request: Request) -> JSONResponse:
        who, view = str(self._review.visitor(request).name), self._review.view.now()
        found = self._sittings.cards(who, view)
        if found is None:
            return JSONResponse({"cards": [], "left": 0, "made": False, "error_rate": None})
        cards, left = found
        body = {"cards": [_shown(card, view) for card in cards], "left": left, "made": True}
        return JSONResponse({**body, "error_rate": self._sittings.error_rate(who)})

    async def _answer(self, request: Request) -> JSONResponse:
        visitor, refused = self._writing.admitted(request)
        if refused is not None:
            return refused
        try:
            wanted = Answering.model_validate_json(await body_of(request))
        except ValidationError:
            return refusal(400, "BadRequest", "Expected a card, a word and an id. Nothing was changed.")
        return await self._review.at_once(self._answered, wanted, str(visitor.name))

    def _answered(self, wanted: Answering, who: str) -> JSONResponse:
        library = self._review.view.library
        known = rulings_of(library.registry, [wanted.answer_id])
        if known:  # sent twice
            return self._writing.recorded(200, list(known.values()))
        try:
            answered = self._sittings.answer(who, wanted.card_id, Answer(wanted.word, tuple(wanted.picked)))
        except ValueError as error:
            return refusal(400, "BadRequest", f"{error} Nothing was changed.")
        if answered is None:
            return refusal(412, "Changed", "This card is not yours any more. Nothing was written.")
        more = {"again": answered.again, "expected": answered.expected}
        if not answered.statements:
            return self._writing.recorded(200, [], more=more)
        needs_distance = any(one.kind == "ignore" for one in answered.statements)
        requests = Requests(
            Subjects(library, self._review.view.home.cached),
            Author(who, "ui"),
            self._cover_distance() if needs_distance else 0.0,
        )
        try:
            model_id, reason = self._sittings.model_id() or "", f"card {wanted.card_id[:200]}"
            rulings = made_of(answered.statements, requests, model_id)
            ids = ids_of_input(wanted.answer_id, len(rulings))
            named = [
                replace(one, ruling_id=own, reason=reason, payload={**one.payload, **payload_of(told, model_id)})
                for one, own, told in zip(rulings, ids, answered.told, strict=True)
            ]
            written = enter(library, named)
        except RulingRefused as error:
            return self._writing.contradiction(error)
        except FacesetsError as error:
            return refusal(409, type(error).__name__, str(error))
        return self._writing.recorded(201, list(written), more=more)


def _shown(card: Card, view: Reviewed) -> dict[str, object]:
    """A card without the opinion of the numbers: that comes after the answer."""
    sides = [
        {
            "name": side.name,
            "label": view.by_name[side.name].label if side.name in view.by_name else None,
            "piece": side.piece,
            "size": side.size,
            "faces": list(card.shown(place)) or list(side.face_ids[:MOST_SHOWN]),
        }
        for place, side in enumerate(card.sides)
    ]
    kind = "pair" if card.kind == "known" else card.kind
    return {
        "card_id": card.card_id, "kind": kind, "again": card.again, "sides": sides, "answers": ANSWERS[card.kind],
        "same_photo": any(likeness.same_photo for likeness in card.likenesses[:1]) and kind == "pair",
        "numbers": dict(card.numbers),
    }  # fmt: skip

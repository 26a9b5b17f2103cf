"""Rulings on everybody, or on every face, that a filter means: the server evaluates it, whatever a page has loaded.

The page says how many it showed, of which state of the library. If it means others by now, nothing is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.analysis.reviewed_faces import ORDERS, faces_of
from facesets_dagster.errors import FacesetsError, RulingRefused, SettingsError
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter
from facesets_dagster.registry.rulings import rulings_of
from facesets_dagster.web.review.app import Review
from facesets_dagster.web.review.filters import Named, PeopleFilter, faces_matching, people_matching
from facesets_dagster.web.review.inputs import ids_of_input
from facesets_dagster.web.review.statements import RulingId
from facesets_dagster.web.review.writing import Writing, body_of, refusal

MOST = 20_000
"""People, or faces, of one bulk ruling."""
MOST_MERGED = 100
"""People who are merged at once: what speaks against each merge is looked up."""
_Text = Annotated[str, Field(max_length=200)]


class People(BaseModel):
    """The people that a filter of the page People means."""

    model_config = ConfigDict(extra="forbid")

    text: _Text = ""
    named: Named = ""
    most_faces: Annotated[int, Field(ge=1)] | None = None
    among: Annotated[list[_Text], Field(max_length=MOST)] = []
    """Only these of them, if any is named."""
    without: Annotated[list[_Text], Field(max_length=MOST)] = []
    """Names that were taken out of the selection."""


class Faces(BaseModel):
    """The faces of a person that a filter of the page Person means."""

    model_config = ConfigDict(extra="forbid")

    person: _Text
    only: Annotated[str, Field(max_length=400)] = ""
    without: Annotated[list[_Text], Field(max_length=MOST)] = []


class Bulk(BaseModel):
    """One decision on all of them."""

    model_config = ConfigDict(extra="forbid")

    ruling_id: RulingId
    kind: Literal["ignore", "approve", "same", "assign", "not_person", "not_a_face"]
    people: People | None = None
    faces: Faces | None = None
    other: _Text | None = None
    """Of `same` and `assign`: the person that they become."""
    state: _Text
    """Of the library, as the page has it."""
    count: Annotated[int, Field(ge=1)]
    """How many the page showed."""
    despite: bool = False


class BulkRulings:
    """Of one home."""

    def __init__(self, review: Review, writing: Writing, cover_distance: Callable[[], float]) -> None:
        self._review, self._writing, self._cover_distance = review, writing, cover_distance

    def routes(self) -> list[BaseRoute]:
        """One."""
        return [Route("/api/bulk", self._write, methods=["POST"])]

    async def _write(self, request: Request) -> JSONResponse:
        visitor, refused = self._writing.admitted(request)
        if refused is not None:
            return refused
        try:
            wanted = Bulk.model_validate_json(await body_of(request))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return refusal(400, "BadRequest", f"`{where}`: {first['msg']}. Nothing was changed.")
        return await self._review.at_once(self._written, wanted, str(visitor.name))

    def _written(self, wanted: Bulk, who: str) -> JSONResponse:
        library, now = self._review.view.library, self._review.view.now()
        if rulings_of(library.registry, [wanted.ruling_id]):  # sent twice
            ids = ids_of_input(wanted.ruling_id, wanted.count if wanted.people else 1)
            return self._writing.recorded(200, list(rulings_of(library.registry, ids).values()))
        try:
            meant = self._meant(wanted, now)
            if now.state != wanted.state or len(meant) != wanted.count:
                return _changed(len(meant))
            made = self._made(wanted, meant, who)
            ids = ids_of_input(wanted.ruling_id, len(made))
            named = [replace(one, ruling_id=own) for one, own in zip(made, ids, strict=True)]
            return self._writing.recorded(201, list(enter(library, named)))
        except RulingRefused as error:
            return self._writing.contradiction(error)
        except FacesetsError as error:
            return refusal(409, type(error).__name__, str(error))

    def _meant(self, wanted: Bulk, now: Reviewed) -> list[str]:
        """Names of people, or face_ids. Raises `LibraryError` for the faces of nobody."""
        if wanted.people is not None:
            people = wanted.people
            found = people_matching(now, PeopleFilter(people.text, people.named, people.most_faces))
            without = {*people.without, *([wanted.other] if wanted.kind == "same" else [])}
            among = set(people.among)
            return [one.name for one in found if one.name not in without and (not among or one.name in among)]
        if wanted.faces is None:
            raise SettingsError("Expected `people` or `faces`. Nothing was changed.")
        person = now.person(wanted.faces.person)
        faces = faces_of(self._review.view.home, self._review.view.library, now, person, ORDERS[0])
        gone = set(wanted.faces.without)
        return [one.face_id for one in faces_matching(faces, wanted.faces.only) if one.face_id not in gone]

    def _made(self, wanted: Bulk, meant: Sequence[str], who: str) -> list[Ruling]:
        """Raises `SettingsError` for what cannot be meant."""
        if len(meant) > MOST:
            raise SettingsError(f"{len(meant)} at once. Expected {MOST} at most. Nothing was changed.")
        distance = self._cover_distance() if wanted.kind in ("ignore", "not_a_face") else 0.0
        library, home = self._review.view.library, self._review.view.home
        requests = Requests(Subjects(library, home.cached), Author(who, "ui"), distance)
        if wanted.people is None:
            make = _OF_FACES.get(wanted.kind)
            if make is None:
                raise SettingsError(f"Faces cannot be ruled on as `{wanted.kind}`. Nothing was changed.")
            return [make(requests, dict.fromkeys(meant), wanted)]
        if wanted.kind == "ignore":
            return requests.about_many(meant, lambda make, name: make.ignore(name))
        if wanted.kind == "approve":
            return requests.about_many(meant, lambda make, name: make.approve(name))
        if wanted.kind == "same" and wanted.other:
            return self._merged(wanted, meant, requests)
        raise SettingsError(f"People cannot be ruled on as `{wanted.kind}` together. Nothing was changed.")

    def _merged(self, wanted: Bulk, meant: Sequence[str], requests: Requests) -> list[Ruling]:
        if len(meant) > MOST_MERGED:
            raise SettingsError(
                f"{len(meant)} people at once. Expected {MOST_MERGED} at most to merge: choose fewer. Nothing was "
                "changed."
            )
        return self._writing.maker(requests.author).merged_into(str(wanted.other), meant, despite=wanted.despite)


_OF_FACES: Mapping[str, Callable[[Requests, dict[str, str | None], Bulk], Ruling]] = {
    "assign": lambda make, faces, wanted: make.assign(faces, str(wanted.other)),
    "not_person": lambda make, faces, wanted: make.not_person(faces, wanted.faces.person if wanted.faces else ""),
    "ignore": lambda make, faces, _: make.ignore_faces(faces, are_faces=True),
    "not_a_face": lambda make, faces, _: make.ignore_faces(faces, are_faces=False),
}


def _changed(count: int) -> JSONResponse:
    message = f"The library has changed since you looked: {count} are meant now. Nothing was written; look again."
    return JSONResponse({"error": "Changed", "message": message, "changed": [], "count": count}, 412)

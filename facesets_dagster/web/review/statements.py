"""What people decide on the page, as rulings: the JSON of a request, checked, and made into records."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.errors import FacesetsError, SettingsError
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.merging import MergeRequest, asked_for
from facesets_dagster.publishing.rulings.requests import Places, Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author

Kind = Literal[
    "name", "same", "different", "not_person", "assign", "split", "ignore", "not_a_face", "approve", "feature"
]
RulingId = Annotated[str, Field(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
_Face = Annotated[str, Field(min_length=1, max_length=80)]
_Name = Annotated[str, Field(min_length=1, max_length=80)]
LONGEST_NAME = 200
MOST_FACES = 20_000


class Statement(BaseModel):
    """One decision."""

    model_config = ConfigDict(extra="forbid")

    ruling_id: RulingId
    """Made by the page: the same statement sent twice is one ruling."""
    kind: Kind
    person: _Name | None = None
    other: _Name | None = None
    """The second person of a pair."""
    faces: Annotated[list[_Face], Field(max_length=MOST_FACES)] = []
    parts: Annotated[list[list[_Face]], Field(max_length=8)] = []
    text: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    despite: bool = False
    """Merge although a photo shows both, or their names differ."""
    reason: Annotated[str, Field(max_length=500)] | None = None


class Statements(BaseModel):
    """Decisions that are written together or not at all."""

    model_config = ConfigDict(extra="forbid")

    rulings: Annotated[list[Statement], Field(min_length=1, max_length=100)]
    seen: dict[_Name, str] = {}
    """Person -> digest of what the page showed of them."""


class Undo(BaseModel):
    """Rulings that are taken back together or not at all."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[RulingId], Field(min_length=1, max_length=20_000)]


@dataclass(frozen=True)
class Maker:
    """Makes rulings of statements; nothing is written."""

    home: Home
    library: Library
    author: Author
    cover_distance: Callable[[], float]

    def of(self, statements: Sequence[Statement]) -> list[Ruling]:
        """A ruling for each, with the ids of the page. Raises what speaks against one, in a sentence."""
        return [replace(self._made(one), ruling_id=one.ruling_id, reason=one.reason) for one in statements]

    def _made(self, one: Statement) -> Ruling:
        # Only how far an ignore reaches depends on the pack: for all others no model has to be there.
        needs_distance = one.kind in ("ignore", "not_a_face")
        requests = Requests(
            Subjects(self.library, self.home.cached), self.author, self.cover_distance() if needs_distance else 0.0
        )
        return _KINDS[one.kind](self, requests, one)

    def merged_into(self, target: str, names: Sequence[str], *, despite: bool) -> list[Ruling]:
        """A ruling for each of these people: they are the target. Raises what speaks against one."""
        requests = Requests(Subjects(self.library, self.home.cached), self.author, 0.0)
        return [self._one_person(requests, name, target, despite) for name in names]

    def _same(self, requests: Requests, one: Statement) -> Ruling:
        return self._one_person(requests, _person(one), _person(one, "other"), one.despite)

    def _one_person(self, requests: Requests, first: str, second: str, despite: bool) -> Ruling:
        request = MergeRequest([[first, second]], despite_veto=despite, despite_labels=despite)
        try:
            merges = asked_for(self.library, request, None).merges
        except FacesetsError as error:  # its advice names the run config; the page has a button
            text = re.sub(r"`despite_(labels|veto): true`", "`Merge anyway`", str(error))
            raise type(error)(text) from error
        return requests.same(first, second, keeper="a" if merges and merges[0].keeper == first else "b")

    def _ignore(self, requests: Requests, one: Statement) -> Ruling:
        if one.person is not None:
            return requests.ignore(one.person)
        return requests.ignore_faces(_faces(one), are_faces=True)


def one_line(text: str) -> str | None:
    """A name as it is kept: composed letters, one line; None for an empty one. Raises `SettingsError` for others."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(letter) == "Cc" for letter in line) or len(line) > LONGEST_NAME:
        raise SettingsError(
            f"A name has at most {LONGEST_NAME} letters and no control characters. Nothing was changed."
        )
    return line or None


def changed_since(view: Reviewed, seen: Mapping[str, str]) -> list[dict[str, object]]:
    """What is different from what the page showed: of each person that is, how it is now."""
    found: list[dict[str, object]] = []
    for name, digest in sorted(seen.items()):
        end = view.leads.get(name, name)
        person = view.by_name.get(end)
        if person is None or end != name or person.seen != digest:
            now = {"faces": person.faces, "label": person.label, "seen": person.seen} if person else {}
            found.append({"name": name, "leads_to": end if end != name else None, "in_use": person is not None, **now})
    return found


def _person(one: Statement, side: Literal["person", "other"] = "person") -> str:
    name = one.person if side == "person" else one.other
    if name is None:
        raise SettingsError(f"A ruling of the kind {one.kind} needs `{side}`. Nothing was changed.")
    return name


def _faces(one: Statement) -> Places:
    if not one.faces:
        raise SettingsError(f"A ruling of the kind {one.kind} needs faces. Nothing was changed.")
    return dict.fromkeys(one.faces)


_KINDS: Mapping[str, Callable[[Maker, Requests, Statement], Ruling]] = {
    "name": lambda _, make, one: make.name(_person(one), one_line(one.text)),
    "same": Maker._same,
    "different": lambda _, make, one: make.different(_person(one), _person(one, "other")),
    "not_person": lambda _, make, one: make.not_person(_faces(one), _person(one)),
    "assign": lambda _, make, one: make.assign(_faces(one), _person(one)),
    "split": lambda _, make, one: make.split(_person(one), [dict.fromkeys(part) for part in one.parts]),
    "ignore": Maker._ignore,
    "not_a_face": lambda _, make, one: make.ignore_faces(_faces(one), are_faces=False),
    "approve": lambda _, make, one: make.approve(_person(one)),
    "feature": lambda _, make, one: make.feature(next(iter(_faces(one))), _person(one), lead=False),
}

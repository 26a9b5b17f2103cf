"""Which people, or which faces of a person, a filter of the review page means. Decided by the server for bulk rulings.

The page filters the columns that it has by the same rules; what it counted is sent along and compared.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from facesets_dagster.analysis.reviewed import Reviewed, ReviewedPerson
from facesets_dagster.analysis.reviewed_faces import ReviewedFace
from facesets_dagster.reports.people import title_of

Named = Literal["", "yes", "no"]
MOST_FACES = (2, 3, 5, 10, 20)
"""Sizes that the page offers."""


@dataclass(frozen=True)
class PeopleFilter:
    """Empty values filter nothing."""

    text: str = ""
    """Part of the name or of `faceset_001`, whatever case and accents."""
    named: Named = ""
    most_faces: int | None = None


def filter_of(query: Mapping[str, str]) -> PeopleFilter:
    """The filter in an address; what cannot be meant filters nothing."""
    most = query.get("faces", "")
    named = query.get("named", "")
    return PeopleFilter(
        query.get("q", ""),
        "yes" if named == "yes" else "no" if named == "no" else "",
        int(most) if most.isdecimal() and 0 < int(most) < 1_000_000 else None,
    )


def plain(text: str) -> str:
    """Without case and accents."""
    return "".join(one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one)[0] != "M").lower()


def people_matching(view: Reviewed, wanted: PeopleFilter) -> list[ReviewedPerson]:
    """In the order of the library."""
    text = plain(wanted.text.strip())
    return [
        one
        for one in view.people
        if text in plain(f"{one.label or ''}\n{one.name}")
        and (wanted.named == "" or (wanted.named == "yes") == bool(one.label))
        and (wanted.most_faces is None or one.faces <= wanted.most_faces)
    ]


def faces_matching(faces: Sequence[ReviewedFace], only: str) -> list[ReviewedFace]:
    """`only`: empty for all, `exported`, `left_out`, `state:<state>` or `bucket:<title>`."""
    return [face for face in faces if _is_meant(face, only)]


def face_filters(faces: Sequence[ReviewedFace]) -> list[tuple[str, int]]:
    """Filters that mean some of a person's faces, by state only, with how many each means."""
    found = [(only, len(faces_matching(faces, only))) for only in ("", "exported", "left_out")]
    return [(only, count) for only, count in found if count]


def _is_meant(face: ReviewedFace, only: str) -> bool:
    kind, _, value = only.partition(":")
    if kind in ("exported", "left_out"):
        return (face.rank is not None) == (kind == "exported")
    if kind == "state":
        return face.rank is None and face.state.partition(":")[0] == value
    return kind != "bucket" or title_of(face.bucket) == value

"""The pages as HTML: complete for reading without scripts, and the frame that scripts fill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.analysis.reviewed_faces import ORDERS, faces_of, order_of
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.faceset_manifest import FacesetManifest, read_faceset
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.registry.publications import joined_by_runs
from facesets_dagster.registry.rulings import all_rulings, faces_decided_by, swallowed
from facesets_dagster.reports.funnel import value_in_words
from facesets_dagster.reports.links import served
from facesets_dagster.reports.people import title_of
from facesets_dagster.reports.template import when
from facesets_dagster.web.review.access import Visitor
from facesets_dagster.web.review.filters import MOST_FACES, face_filters, faces_matching, filter_of, people_matching
from facesets_dagster.web.review.library_view import LibraryView, readable, rulings_about
from facesets_dagster.web.review.ruling_texts import said_of
from facesets_dagster.web.review.words import LANGUAGES, Words

AT_ONCE = 200
"""Entries of a page without scripts."""
FACES = 24
"""Faces that the page shows of an ignore."""


@dataclass(frozen=True)
class Seen:
    """A request as the pages see it."""

    words: Words
    visitor: Visitor
    query: Mapping[str, str]

    @property
    def page(self) -> int:
        """The page of a long list, from 1."""
        text = self.query.get("page", "")
        return max(int(text), 1) if text.isdecimal() and len(text) < 8 else 1


@dataclass(frozen=True)
class LoggedRuling:
    """A ruling as the log shows it."""

    ruling: Ruling
    says: str
    state: str
    """In words."""
    links: Sequence[str]
    """Names of the people that it speaks of and that are in use."""
    faces: Sequence[str]
    """Some that it speaks of, for pictures."""
    swallowed: int
    """Faces that ended by it though it does not name them."""

    @property
    def can_be_undone(self) -> bool:
        """It is not taken back yet."""
        return self.ruling.state != "undone"


@dataclass(frozen=True)
class IgnoredRuling:
    """An ignore, and what it swallowed."""

    logged: LoggedRuling
    taken: Sequence[tuple[str, str]]
    """face_id, distance to the nearest exemplar; the farthest first, those that the ruling names last."""


def people_page(view: LibraryView, seen: Seen) -> str:
    """Everybody."""
    now, wanted = view.now(), filter_of(seen.query)
    people = people_matching(now, wanted)
    start = (seen.page - 1) * AT_ONCE
    query = {"q": wanted.text.strip(), "named": wanted.named, "faces": wanted.most_faces or ""}
    return _render(
        "people.html", seen, now,
        people=people[start : start + AT_ONCE], count=len(people), wanted=wanted, sizes=MOST_FACES,
        query="".join(f"{key}={quote(str(value))}&" for key, value in query.items() if value),
        more=_more(seen, len(people)),
    )  # fmt: skip


def person_page(view: LibraryView, seen: Seen, name: str) -> str:
    """One person. Raises `LibraryError` if nobody of that name is in use."""
    now, library = view.now(), view.library
    person, by = now.person(name), order_of(seen.query.get("by"))
    every = faces_of(view.home, library, now, person, by)
    only = seen.query.get("only", "")
    faces = faces_matching(every, only)
    start = (seen.page - 1) * AT_ONCE
    rows = [
        {
            "face_id": face.face_id,
            "photo": f"{title_of(face.bucket)}/{readable(face.path)}" if face.path else title_of(face.bucket),
            "state": state_in_words(seen.words, face.state, face.rank),
            "value": value_in_words(face.state, face.value),
            "is_exported": face.rank is not None,
        }
        for face in faces[start : start + AT_ONCE]
    ]
    rulings = all_rulings(library.registry)
    return _render(
        "person.html", seen, now,
        person=person, faces=rows, by=by, orders=ORDERS, more=_more(seen, len(faces)),
        exported=sum(face.rank is not None for face in every), only=only, filters=face_filters(every),
        query="".join(f"{key}={quote(value)}&" for key, value in (("by", by), ("only", only)) if value),
        runs=joined_by_runs(library.registry, person.name), published=_published(view, now, person.name),
        bucket=title_of(person.bucket or ""),
        bucket_page=served("buckets", person.bucket or "", folder=True),
        faceset=served(view.settings.library_dir.name, person.name, folder=True),
        history=[logged(seen.words, now, one, {}) for one in rulings_about(rulings, now, person.name)],
        eras=sorted(one.name for one in now.identities.values() if one.parent == person.name and one.live),
        merged=sorted(name for name, end in now.leads.items() if end == person.name),
    )  # fmt: skip


def log_page(view: LibraryView, seen: Seen) -> str:
    """Every ruling, the newest first."""
    now, rulings = view.now(), all_rulings(view.library.registry)[::-1]
    taken, start = swallowed(view.library.registry), (seen.page - 1) * AT_ONCE
    shown = [logged(seen.words, now, one, taken) for one in rulings[start : start + AT_ONCE]]
    return _render("log.html", seen, now, rulings=shown, count=len(rulings), more=_more(seen, len(rulings)))


def ignored_page(view: LibraryView, seen: Seen) -> str:
    """Who is ignored, and which faces each ignore took."""
    now, registry = view.now(), view.library.registry
    ignores = [one for one in all_rulings(registry)[::-1] if one.kind in ("ignore", "not_a_face")]
    ignores = [one for one in ignores if one.state in ("in_force", "dormant")]
    taken, start = swallowed(registry), (seen.page - 1) * AT_ONCE
    shown = []
    for ruling in ignores[start : start + AT_ONCE]:
        decided = sorted(faces_decided_by(registry, ruling.ruling_id), key=lambda face: -(face[3] or 0.0))[:FACES]
        faces = [(face, "" if value is None else f"{value:.3f}") for _, face, _, value in decided]
        shown.append(IgnoredRuling(logged(seen.words, now, ruling, taken), faces))
    return _render("ignored.html", seen, now, ignores=shown, count=len(ignores), more=_more(seen, len(ignores)))


def queue_page(view: LibraryView, seen: Seen) -> str:
    """Questions, one after the other."""
    return _render("queue.html", seen, view.now())


def help_page(view: LibraryView, seen: Seen) -> str:
    """Keys and words."""
    return _render("help.html", seen, view.now())


def error_page(view: LibraryView, seen: Seen, message: str) -> str:
    """Why there is no page."""
    return _render("error.html", seen, None, message=message)


def logged(words: Words, now: Reviewed, ruling: Ruling, taken: Mapping[str, int]) -> LoggedRuling:
    """A ruling for the log."""
    state = words(f"state.{ruling.state}")
    if ruling.published != (ruling.state == "in_force"):
        state += words("state.still_obeyed" if ruling.published else "state.waits")
    names = dict.fromkeys(now.leads.get(name, name) for name in ruling.names.values())
    faces = dict.fromkeys(face.face_id for face in ruling.of_role("face", "a", "b", "exemplar", "identity"))
    return LoggedRuling(
        ruling, said_of(ruling).in_words(words), state, [name for name in names if name in now.by_name], [*faces][:6],
        taken.get(ruling.ruling_id, 0),
    )  # fmt: skip


def state_in_words(words: Words, state: str, rank: int | None) -> str:
    """`rank 3`, or why a face is not exported."""
    if rank is not None:
        return words("face.rank", rank=rank)
    if state == "waits":
        return words("face.waits")
    return words.get(f"why.{state}", "") or words.get(f"why.{state.partition(':')[0]}", state)


def _published(view: LibraryView, now: Reviewed, name: str) -> FacesetManifest | None:
    """The face set as it was published last."""
    identity = now.identities.get(name)
    return read_faceset(view.library.folder / faceset_folder(name, identity.kind)) if identity else None


def _more(seen: Seen, count: int) -> dict[str, object]:
    last = max((count + AT_ONCE - 1) // AT_ONCE, 1)
    return {"page": min(seen.page, last), "last": last}


def _render(name: str, seen: Seen, now: Reviewed | None, **values: object) -> str:
    """The template with what every page shows."""
    languages = {code: seen.words.texts[f"language.{code}"] for code in LANGUAGES}
    return str(
        _template(name).render(
            t=seen.words, visitor=seen.visitor, waiting=len(now.waiting) if now else 0, state=now.state if now else "",
            languages=languages, **values,
        )
    )  # fmt: skip


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("facesets_dagster.web.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["address"] = lambda text: quote(str(text), safe="")
    environment.globals["when"] = when
    environment.globals["title_of"] = title_of
    return environment.get_template(name)
